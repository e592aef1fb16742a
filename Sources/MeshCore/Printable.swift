/// Text from elsewhere, fit for one line of a terminal or a log: what would end the line, move the
/// cursor or turn the direction of writing becomes "�".
package func printable(_ text: String) -> String {
  guard text.unicodeScalars.contains(where: { !isPrintable($0) }) else { return text }
  var clean = String.UnicodeScalarView()
  for scalar in text.unicodeScalars { clean.append(isPrintable(scalar) ? scalar : "\u{FFFD}") }
  return String(clean)
}

private func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
  switch scalar.properties.generalCategory {
  case .control, .lineSeparator, .paragraphSeparator: false
  // Marks of direction, but not those that join letters.
  case .format:
    !(0x202A...0x202E).contains(scalar.value) && !(0x2066...0x2069).contains(scalar.value)
  default: true
  }
}
