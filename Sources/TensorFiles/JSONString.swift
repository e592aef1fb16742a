/// JSON string literals (RFC 8259, section 7), as UTF-8 bytes.
enum JSONString {
  /// Why no string could be taken.
  enum Fault: Error {
    case missing, malformed
  }

  /// Where a string stands in its text, quotes left out. Its escapes are sound.
  struct Literal {
    let start: Int
    let end: Int
    let isEscaped: Bool
  }

  /// Takes a string. The text around it is already known to be UTF-8.
  static func take(from cursor: inout ByteCursor) throws(Fault) -> Literal {
    guard cursor.take("\"") else { throw .missing }
    let start = cursor.position
    var isEscaped = false
    while let byte = cursor.take() {
      switch byte {
      case UInt8(ascii: "\""):
        return Literal(start: start, end: cursor.position - 1, isEscaped: isEscaped)
      case UInt8(ascii: "\\"):
        _ = try takeEscape(from: &cursor)
        isEscaped = true
      case 0..<32: throw .malformed
      default: break
      }
    }
    throw .malformed
  }

  /// The bytes of a string that was taken from this text, with its escapes resolved.
  static func bytes(of literal: Literal, in text: [UInt8]) -> [UInt8] {
    guard literal.isEscaped else { return Array(text[literal.start..<literal.end]) }
    var cursor = ByteCursor(text, at: literal.start)
    var bytes: [UInt8] = []
    while cursor.position < literal.end, let byte = cursor.take() {
      guard byte == UInt8(ascii: "\\") else {
        bytes.append(byte)
        continue
      }
      guard let scalar = try? takeEscape(from: &cursor) else { break }
      bytes += Array(String(scalar).utf8)
    }
    return bytes
  }

  private static func takeEscape(from cursor: inout ByteCursor) throws(Fault) -> Unicode.Scalar {
    guard let byte = cursor.take() else { throw .malformed }
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{C}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"): break
    default: throw .malformed
    }
    let unit = try takeCodeUnit(from: &cursor)
    guard (0xD800..<0xDC00).contains(unit) else {
      // A scalar refuses the one thing left that is no character: a low surrogate on its own.
      guard let scalar = Unicode.Scalar(unit) else { throw .malformed }
      return scalar
    }
    guard cursor.take("\\"), cursor.take("u") else { throw .malformed }
    let low = try takeCodeUnit(from: &cursor)
    guard (0xDC00..<0xE000).contains(low),
      let scalar = Unicode.Scalar(0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00))
    else { throw .malformed }
    return scalar
  }

  private static func takeCodeUnit(from cursor: inout ByteCursor) throws(Fault) -> UInt32 {
    var unit: UInt32 = 0
    for _ in 0..<4 {
      switch cursor.take() {
      case let digit? where (48...57).contains(digit): unit = unit << 4 | UInt32(digit - 48)
      case let digit? where (65...70).contains(digit & 0xDF):
        unit = unit << 4 | UInt32((digit & 0xDF) - 55)
      default: throw .malformed
      }
    }
    return unit
  }

  /// A literal that reads back as the text.
  static func literal(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": result += "\\" + String(scalar)
      case "\u{0}"..<" ":
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
