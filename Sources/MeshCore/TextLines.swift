/// The lines of a text file from any system: a carriage return before a line's end and a byte-order mark
/// before the first line belong to no line.
package func lines(ofFile text: String) -> [Substring] {
  let isMarked = text.unicodeScalars.first == "\u{FEFF}"
  let body = isMarked ? String(text.unicodeScalars.dropFirst()) : text
  // "\r\n" is one character.
  return body.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
}
