internal import Foundation
internal import MeshCore
internal import MeshRuntime

/// Lengths of documents: on the command line, or in a text file of numbers between commas, blanks or line
/// ends.
struct Lengths {
  let values: [Int]

  /// Of the longest file: more documents than a job may have have fewer digits.
  private static let bytesMaximum = 1 << 20

  /// - Parameter flag: which they were given with.
  init(_ text: String, flag: String) throws(MeshError) {
    let isList = text.allSatisfy { $0.isASCII && ($0.isNumber || $0 == ",") }
    let words = isList ? text : try Self.contents(of: text, flag: flag)
    let separators: Set<Character> = [",", " ", "\t", "\n", "\r", "\r\n"]
    var values: [Int] = []
    for word in words.split(whereSeparator: { separators.contains($0) }) {
      guard let value = Int(word), value >= 0 else {
        throw MeshError(
          .badInput,
          "\(flag) \(printable(text)): '\(printable(String(word.prefix(32))))' is no length; give"
            + " numbers of tokens, as 100,200,50")
      }
      values.append(value)
    }
    guard !values.isEmpty else {
      throw MeshError(.badInput, "\(flag) \(printable(text)): there are no lengths in it")
    }
    self.values = values
  }

  private static func contents(of path: String, flag: String) throws(MeshError) -> String {
    guard let file = FileHandle(forReadingAtPath: path) else {
      throw MeshError(
        .badInput, "\(flag) \(printable(path)): neither lengths, as 100,200,50, nor a file to read")
    }
    defer { try? file.close() }
    guard let bytes = try? file.read(upToCount: bytesMaximum + 1) ?? Data(),
      bytes.count <= bytesMaximum, let text = String(bytes: bytes, encoding: .utf8)
    else {
      throw MeshError(
        .badInput,
        "\(flag) \(printable(path)): it is no text of lengths of at most \(bytesMaximum) bytes")
    }
    return text
  }
}
