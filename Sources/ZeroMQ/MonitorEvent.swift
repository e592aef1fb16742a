internal import CZeroMQ

/// Something that happened to one of a socket's connections.
package struct MonitorEvent: Sendable, Hashable {
  /// Why a handshake failed.
  package enum HandshakeFailure: Sendable, Hashable {
    /// It took too long or the connection broke.
    case unknown
    /// The peer does not speak the protocol.
    case protocolError
    /// One side has keys and the other has none.
    case otherMechanism
    /// Authentication refused the peer.
    case refused
  }

  /// The kinds of events; libzmq's manual tells when each occurs.
  package enum Kind: Sendable, Hashable {
    case listening, bindFailed, accepted, acceptFailed
    case connected, connectDelayed, connectRetried
    case handshakeSucceeded, handshakeFailed(HandshakeFailure)
    case disconnected, closed, closeFailed
  }

  /// What happened.
  package let kind: Kind

  /// A file descriptor, an `errno` or a delay in milliseconds, depending on the kind.
  package let value: UInt32

  /// The endpoint that the socket has bound or connected to; not the address of the peer.
  package let endpoint: String

  /// The events that are asked for. "Monitor stopped" is not: sending it could block.
  static let subscribed = kinds.reduce(into: Int32(0)) { $0 |= $1.code }

  private static let kinds: [(code: Int32, kind: Kind)] = [
    (ZMQ_EVENT_LISTENING, .listening),
    (ZMQ_EVENT_BIND_FAILED, .bindFailed),
    (ZMQ_EVENT_ACCEPTED, .accepted),
    (ZMQ_EVENT_ACCEPT_FAILED, .acceptFailed),
    (ZMQ_EVENT_CONNECTED, .connected),
    (ZMQ_EVENT_CONNECT_DELAYED, .connectDelayed),
    (ZMQ_EVENT_CONNECT_RETRIED, .connectRetried),
    (ZMQ_EVENT_HANDSHAKE_SUCCEEDED, .handshakeSucceeded),
    (ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, .handshakeFailed(.unknown)),
    (ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL, .handshakeFailed(.protocolError)),
    (ZMQ_EVENT_HANDSHAKE_FAILED_AUTH, .handshakeFailed(.refused)),
    (ZMQ_EVENT_DISCONNECTED, .disconnected),
    (ZMQ_EVENT_CLOSED, .closed),
    (ZMQ_EVENT_CLOSE_FAILED, .closeFailed),
  ]

  /// Reads libzmq's form: 16 bits of event and 32 of value in native order, then the endpoint.
  init?(_ message: borrowing Message) {
    guard message.header.count == 6 else { return nil }
    let (code, value) = message.header.withUnsafeBytes {
      ($0.loadUnaligned(as: UInt16.self), $0.loadUnaligned(fromByteOffset: 2, as: UInt32.self))
    }
    guard let known = Self.kinds.first(where: { $0.code == Int32(code) }) else { return nil }
    let isMechanism =
      known.kind == .handshakeFailed(.protocolError)
      && value == UInt32(ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH)
    self.kind = isMechanism ? .handshakeFailed(.otherMechanism) : known.kind
    self.value = value
    switch message.payload {
    case .some(let payload):
      self.endpoint = payload.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
    case .none: self.endpoint = ""
    }
  }
}
