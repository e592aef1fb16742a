/// A SHA-256 digest: 32 bytes, compared and printed as such.
package struct Digest: Hashable, Sendable, Comparable, Codable, CustomStringConvertible {
  /// The 32 bytes in order.
  package let bytes: [UInt8]

  /// A digest from exactly 32 bytes; nil for any other count.
  package init?(bytes: [UInt8]) {
    guard bytes.count == 32 else { return nil }
    self.bytes = bytes
  }

  init(words: (UInt64, UInt64, UInt64, UInt64)) {
    bytes = withUnsafeBytes(of: words) { Array($0) }
  }

  /// Lower-case hexadecimal, 64 characters.
  package var description: String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    text.reserveCapacity(64)
    for byte in bytes {
      text.append(digits[Int(byte >> 4)])
      text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
  }

  package static func < (left: Digest, right: Digest) -> Bool {
    left.bytes.lexicographicallyPrecedes(right.bytes)
  }
}
