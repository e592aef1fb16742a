internal import ZeroMQ

extension SocketMonitor {
  /// Why the peer that this socket connects to will never take it, as far as the events since the last
  /// call tell; nil when there is hope.
  ///
  /// - Parameter hasKeys: whether the socket came with keys.
  func refusal(hasKeys: Bool) throws(ZeroMQError) -> String? {
    var refusal: String?
    while let event = try next() {
      switch event.kind {
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
    return refusal
  }
}

/// Hands something over to the thread that uses it from then on; starting that thread is the fence.
package final class Handover<Value>: @unchecked Sendable {
  private let value: Value
  package init(_ value: Value) { self.value = value }
  package func take() -> Value { value }
}
