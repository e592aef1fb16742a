internal import ZeroMQ

/// A connection to one peer with a monitor of its own, so that its loss is told at once and names the
/// peer. The coordinator keeps one to each worker for nothing else; workers pull over theirs.
final class WatchLink {
  let socket: OwnedSocket
  let monitor: SocketMonitor
  private var wasConnected = false

  init(endpoint: String, options: SocketOptions, context: Context) throws(ZeroMQError) {
    socket = try OwnedSocket(.dealer, context: context, options: options)
    monitor = try SocketMonitor(socket)
    try socket.socket.connect(endpoint)
  }

  /// Whether the connection was there and broke.
  func isBroken() -> Bool {
    while let event = try? monitor.next() {
      if event.kind == .handshakeSucceeded { wasConnected = true }
      if event.kind == .disconnected, wasConnected { return true }
    }
    return false
  }
}
