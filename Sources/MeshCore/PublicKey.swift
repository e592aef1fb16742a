/// The public half of a CURVE key pair: 32 bytes as 40 characters of Z85 (ZeroMQ RFC 32).
package struct PublicKey: Hashable, Sendable, Codable, CustomStringConvertible {
  package static let length = 40

  package let text: String

  /// - Parameter text: what a person, a file or a peer wrote; nil unless it is a key.
  package init?(_ text: String) {
    let digits = text.utf8.map { Self.values[Int($0)] }
    guard digits.count == Self.length, digits.allSatisfy({ $0 < 85 }) else { return nil }
    for start in stride(from: 0, to: Self.length, by: 5) {
      let value = digits[start..<start + 5].reduce(0) { $0 * 85 + UInt64($1) }
      guard value <= UInt64(UInt32.max) else { return nil }
    }
    guard !Self.published.contains(text) else { return nil }
    self.text = text
  }

  package init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let text = try container.decode(String.self)
    guard let key = PublicKey(text) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "no public key")
    }
    self = key
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(text)
  }

  package var description: String { text }

  private static let alphabet = Array(
    ("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
      + ".-:+=^!/*?&<>()[]{}@%$#").utf8)

  /// The digit of every byte; 255 for what is none.
  private static let values: [UInt8] = {
    var values = [UInt8](repeating: 255, count: 256)
    for (digit, character) in alphabet.enumerated() { values[Int(character)] = UInt8(digit) }
    return values
  }()

  /// Keys whose secret halves stand in libzmq's manual.
  private static let published: Set<String> = [
    "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7", "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID",
  ]
}
