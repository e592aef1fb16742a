internal import Glibc
internal import MeshCore
internal import ZeroMQ

/// A connection to one peer with a monitor of its own, so that its loss is told at once and names the
/// peer. The coordinator keeps one to each worker for nothing else; workers pull over theirs.
final class WatchLink {
  /// What is known of the connection.
  enum State {
    case waiting
    /// Somebody listens at the address.
    case reached
    case connected
    /// It was there and broke.
    case broken
    /// Nobody listens at the address, or it can't be reached.
    case refused
    /// Somebody took the connection and didn't get as far as a handshake.
    case dropped
  }

  let socket: OwnedSocket
  let monitor: SocketMonitor
  private var state = State.waiting
  private let startedAt = MonotonicClock.now
  /// Whether the last news was that it can't be connected to.
  private(set) var isToldUnreachable = false

  /// - Parameters:
  ///   - endpoint: as the peer told it.
  ///   - options: whether they use IPv6 decides about names; an address speaks for itself.
  init(endpoint: String, options: SocketOptions, context: Context) throws(ZeroMQError) {
    guard let address = try? Endpoint(endpoint, flag: "") else {
      throw ZeroMQError(code: EINVAL, operation: "connect", endpoint: endpoint)
    }
    var options = options
    if case .name = address.host {} else { options.usesIPv6 = address.isIPv6 }
    socket = try OwnedSocket(.dealer, context: context, options: options)
    monitor = try SocketMonitor(socket)
    try socket.socket.connect("\(address)")
  }

  /// Once it broke it is of no more use; until then libzmq tries again, and may succeed.
  func look() -> State {
    while state != .broken, let event = try? monitor.next() {
      switch event.kind {
      case .connected: state = .reached
      case .handshakeSucceeded: state = .connected
      case .disconnected: state = state == .connected ? .broken : .dropped
      case .closed where state != .connected: state = .refused
      default: break
      }
    }
    return state
  }

  /// Whether the connection was there and broke.
  func isBroken() -> Bool { look() == .broken }

  /// Whether the peer can be connected to, when that is news: it can't for a while, or it can after
  /// all.
  func takeReach(at now: Duration) -> Bool? {
    let state = look()
    let isConnected = state == .connected
    guard state != .broken, isToldUnreachable == isConnected,
      isConnected || now - startedAt >= Limits.reachTimeout
    else { return nil }
    isToldUnreachable = !isConnected
    return isConnected
  }
}
