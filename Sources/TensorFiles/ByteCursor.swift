/// A position in a header, with the steps that both text formats share.
struct ByteCursor {
  /// Why a whole number could not be taken.
  enum NumberFault: Error {
    case missing, negative, overflow
  }

  private let bytes: [UInt8]
  /// Index of the next byte, for messages.
  private(set) var position: Int

  init(_ bytes: [UInt8], at position: Int = 0) {
    self.bytes = bytes
    self.position = position
  }

  /// The next byte; nil at the end.
  var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  /// Takes any one byte; nil at the end.
  mutating func take() -> UInt8? {
    guard let byte = next else { return nil }
    position += 1
    return byte
  }

  /// Takes the byte if it is the next one.
  mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard next == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  /// Takes a word of ASCII letters; empty where there is none.
  mutating func takeWord() -> String {
    let start = position
    while let byte = next, (65...90).contains(byte & 0xDF) { position += 1 }
    return String(decoding: bytes[start..<position], as: UTF8.self)
  }

  /// Skips space, tab, newline and carriage return.
  mutating func skipWhitespace() {
    while let byte = next, byte == 32 || byte == 9 || byte == 10 || byte == 13 { position += 1 }
  }

  /// Takes a whole number in plain decimal: no sign, fraction, exponent or leading zeros.
  mutating func takeWholeNumber() throws(NumberFault) -> Int {
    if next == UInt8(ascii: "-") { throw .negative }
    let start = position
    var value = 0
    while let byte = next, (48...57).contains(byte) {
      let (tens, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) = tens.addingReportingOverflow(Int(byte - 48))
      if overflow || carry { throw .overflow }
      value = sum
      position += 1
    }
    let digits = position - start
    if digits == 0 || (digits > 1 && bytes[start] == 48) { throw .missing }
    if let byte = next, byte == 46 || byte == 95 || (65...90).contains(byte & 0xDF) {
      // `1.0`, `1e3`, `1_000`, `0x10`: numbers, but not of the kind a shape is made of. `L` ends
      // the long integers of Python 2 and is left to the caller.
      if byte != UInt8(ascii: "L") { throw .missing }
    }
    return value
  }
}
