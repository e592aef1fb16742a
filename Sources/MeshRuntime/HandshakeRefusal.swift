internal import ZeroMQ

/// What a socket that connects to one peer has seen of that connection.
struct ConnectionNews {
  /// Whether the peer has shaken hands and hasn't gone since.
  private(set) var isConnected = false
  /// How often it was connected.
  private(set) var connections = 0
  /// Whether the last thing that happened was that it couldn't connect.
  private(set) var hasFailed = false
  /// Why the peer will never take it; nil while there is hope.
  private(set) var refusal: String?
  private let hasKeys: Bool

  /// - Parameter hasKeys: whether the socket came with keys.
  init(hasKeys: Bool) { self.hasKeys = hasKeys }

  /// Takes everything that has happened since the last call.
  mutating func take(from monitor: SocketMonitor) throws(ZeroMQError) {
    while let event = try monitor.next() { note(event.kind) }
  }

  mutating func note(_ kind: MonitorEvent.Kind) {
    switch kind {
    case .handshakeSucceeded:
      (isConnected, hasFailed) = (true, false)
      connections += 1
    case .disconnected, .handshakeFailed(.unknown), .handshakeFailed(.protocolError):
      (isConnected, hasFailed) = (false, true)
    case .closed, .connectRetried:
      if !isConnected { hasFailed = true }
    case .handshakeFailed(.refused):
      refusal = "it doesn't admit this key: is its line in the coordinator's --allow file?"
    case .handshakeFailed(.otherMechanism):
      refusal =
        hasKeys
        ? "it has no keys: leave --identity out, and give --insecure if it isn't on this machine"
        : "it has keys: give --identity and --coordinator-key"
    default: break
    }
  }
}

/// Hands something over to the thread that uses it from then on; starting that thread is the fence.
package final class Handover<Value>: @unchecked Sendable {
  private let value: Value
  package init(_ value: Value) { self.value = value }
  package func take() -> Value { value }
}
