internal import CZeroMQ
internal import Synchronization

/// A view of what happens to a socket's connections.
///
/// Poll its `socket` together with the others and take all `next()` events each time: libzmq
/// reports by blocking sends, so a monitor that nobody reads for thousands of events stalls the
/// I/O thread. Monitor a socket before it binds or connects.
package final class SocketMonitor {
  private static let count = Atomic<Int>(0)

  /// Enough for a burst of connections; what comes beyond waits in the I/O thread.
  private static var queuedEvents: Int { 4096 }

  /// Where events arrive: for a `Poller`.
  package let socket: OwnedSocket

  /// Kept open: a monitor has to be stopped before its reader closes.
  private let target: OwnedSocket

  /// Starts to monitor a socket, which stays open for as long as the monitor exists.
  ///
  /// - Throws: `EMFILE` at the context's limit of sockets.
  package init(_ target: OwnedSocket) throws(ZeroMQError) {
    let options = SocketOptions(
      sendHighWaterMark: 1, receiveHighWaterMark: Self.queuedEvents, maximumFrameBytes: 4096)
    let number = Self.count.add(1, ordering: .relaxed).newValue
    let endpoint = "inproc://monitor-\(number)"
    let handle = target.socket.handle
    self.target = target
    self.socket = try OwnedSocket(.pair, context: target.socket.context, options: options)
    // zmq_socket_monitor: 0, or -1 with ETERM, EPROTONOSUPPORT, EINVAL, EADDRINUSE, EMFILE.
    try check("zmq_socket_monitor", endpoint: endpoint) {
      zmq_socket_monitor(handle, endpoint, MonitorEvent.subscribed)
    }
    try socket.socket.connect(endpoint)
  }

  deinit {
    // An I/O thread that waits for room holds the lock that stopping needs.
    while (try? next()) != nil {}
    // zmq_socket_monitor without an endpoint stops it: 0, or -1 with ETERM.
    zmq_socket_monitor(target.socket.handle, nil, 0)
  }

  /// Takes the next event, if there is one.
  ///
  /// - Throws: nothing that can happen to a live socket.
  package func next() throws(ZeroMQError) -> MonitorEvent? {
    guard let message = try socket.socket.receive() else { return nil }
    return MonitorEvent(message)
  }
}
