internal import MeshCore
package import ZeroMQ

/// How the mesh's sockets are set. Control sockets carry small messages only; data sockets carry
/// parts of up to a mebibyte. What may be in flight is bounded by credit; the water marks are above
/// what credit allows, so that a full queue means a peer that broke the rules or died.
package enum Sockets {
  static var control: SocketOptions { control(.none) }
  static var data: SocketOptions { data(.none) }

  static func control(_ security: SocketSecurity) -> SocketOptions {
    options(Limits.controlFrameBytesMaximum, security)
  }

  package static func data(_ security: SocketSecurity) -> SocketOptions {
    options(Limits.dataFrameBytesMaximum, security)
  }

  private static func options(_ frameBytes: Int, _ security: SocketSecurity) -> SocketOptions {
    var options = SocketOptions(
      sendHighWaterMark: 256, receiveHighWaterMark: 256,
      maximumFrameBytes: frameBytes + curveBytes)
    options.security = security
    return options
  }

  /// What CURVE adds to a frame, rounded up: a command's name, a nonce and an authenticator.
  private static let curveBytes = 64

  /// A routing id that names its connection for all time: who, and a number raised for each one.
  /// The id of a connection that may still be half open is never used again.
  static func routingID(_ owner: UInt64, _ number: UInt64) -> [UInt8] {
    // libzmq reserves ids that begin with a zero byte.
    [UInt8(ascii: "m")] + withUnsafeBytes(of: owner.bigEndian) { Array($0) }
      + withUnsafeBytes(of: number.bigEndian) { Array($0) }
  }

  /// Bytes that a frame takes on the wire: ZMTP puts two bytes before a short one, nine before
  /// others.
  static func wireBytes(_ frameBytes: Int) -> Int { frameBytes + (frameBytes <= 255 ? 2 : 9) }
}
