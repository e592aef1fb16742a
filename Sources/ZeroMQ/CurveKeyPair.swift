internal import CZeroMQ

/// A key pair of CURVE (Curve25519): who a process is to its peers. Keys are text in Z85, 40
/// characters for 32 bytes.
package struct CurveKeyPair: Sendable, Hashable {
  /// Characters of a key.
  package static let keyLength = 40

  package let publicKey: String
  /// Never printed, logged or sent.
  package let secretKey: String

  /// Makes a new pair from the system's random numbers.
  ///
  /// - Throws: `ENOTSUP` when libzmq was built without CURVE.
  package static func make() throws(ZeroMQError) -> CurveKeyPair {
    var publicKey = [CChar](repeating: 0, count: keyLength + 1)
    var secretKey = publicKey
    // zmq_curve_keypair: 0, or -1 with ENOTSUP.
    try check("zmq_curve_keypair") { zmq_curve_keypair(&publicKey, &secretKey) }
    return CurveKeyPair(publicKey: text(publicKey), secretKey: text(secretKey))
  }

  /// The pair that a secret key belongs to; nil for what is no key.
  package init?(secretKey: String) {
    guard Self.isKey(secretKey) else { return nil }
    var publicKey = [CChar](repeating: 0, count: Self.keyLength + 1)
    // zmq_curve_public: 0, or -1 with EINVAL or ENOTSUP.
    guard zmq_curve_public(&publicKey, secretKey) == 0 else { return nil }
    self.init(publicKey: Self.text(publicKey), secretKey: secretKey)
  }

  private init(publicKey: String, secretKey: String) {
    self.publicKey = publicKey
    self.secretKey = secretKey
  }

  /// Whether text is 32 bytes in Z85.
  package static func isKey(_ text: String) -> Bool {
    guard text.utf8.count == keyLength else { return false }
    var bytes = [UInt8](repeating: 0, count: 32)
    // zmq_z85_decode: its first argument, or NULL for a character outside Z85 or a group beyond
    // 32 bits.
    return zmq_z85_decode(&bytes, text) != nil
  }

  /// 32 bytes as a key's text; nil for another count.
  static func text(ofKey bytes: UnsafeRawBufferPointer) -> String? {
    guard bytes.count == 32, let start = bytes.bindMemory(to: UInt8.self).baseAddress else {
      return nil
    }
    var text = [CChar](repeating: 0, count: keyLength + 1)
    // zmq_z85_encode: its first argument, or NULL when the size isn't a multiple of 4.
    guard zmq_z85_encode(&text, start, 32) != nil else { return nil }
    return Self.text(text)
  }

  private static func text(_ characters: [CChar]) -> String {
    String(decoding: characters.prefix(keyLength).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}

/// How a socket knows its peers, and they it.
package enum SocketSecurity: Sendable, Hashable {
  /// Everybody is admitted, nothing is encrypted.
  case none
  /// Binds; its context needs an `Authenticator`, or it would admit every key.
  case server(CurveKeyPair)
  /// Connects to a peer that has the secret half of this key, and to no other.
  case client(CurveKeyPair, serverKey: String)
}
