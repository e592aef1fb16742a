internal import ZeroMQ

/// A client's connection to one socket of a coordinator.
final class ClientLink {
  let endpoint: Endpoint
  let socket: OwnedSocket
  private let monitor: SocketMonitor
  private(set) var news: ConnectionNews
  private let probe: ReachabilityProbe
  private var poller = Poller()

  init(
    _ endpoint: Endpoint, options: SocketOptions, hasKeys: Bool, context: Context
  ) throws(ZeroMQError) {
    self.endpoint = endpoint
    news = ConnectionNews(hasKeys: hasKeys)
    probe = ReachabilityProbe(endpoint)
    socket = try OwnedSocket(.dealer, context: context, options: options)
    monitor = try SocketMonitor(socket)
    poller.watch(monitor.socket)
    try socket.socket.connect("\(endpoint)")
  }

  /// Sends a message if the connection takes it now.
  func send(_ message: consuming Message) throws(ZeroMQError) -> Bool {
    try socket.socket.send(message) == .sent
  }

  /// Waits for a message, for news of the connection, or, if something is to be sent, for room for it.
  func wait(upTo limit: Duration, forRoom: Bool) throws(ZeroMQError) {
    poller.watch(socket, for: forRoom ? [.readable, .writable] : .readable)
    try poller.wait(upTo: max(.zero, limit))
    let before = news.hasFailed
    try news.take(from: monitor)
    if news.hasFailed, !before, !endpoint.isLoopback { probe.look() }
  }

  /// Takes news without waiting: nobody may leave them where they are, or the socket's thread stops when
  /// there is no room for more.
  func takeNews() throws(ZeroMQError) { try news.take(from: monitor) }

  /// Whether it is certain that nobody is there: this machine says so of itself.
  var isRefusedHere: Bool {
    endpoint.isLoopback && news.hasFailed && Reachability.of(endpoint) == .refused
  }

  /// Why there is no connection, as far as that is known.
  var reachability: Reachability {
    if endpoint.isLoopback { return Reachability.of(endpoint) }
    return probe.found ?? .silent
  }
}
