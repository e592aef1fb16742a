internal import MeshCore
internal import ZeroMQ

/// What a worker has seen of its connection to the coordinator, and says of it while it waits.
struct CoordinatorWatch {
  private(set) var news: ConnectionNews
  private let endpoint: Endpoint
  private let hasKeys: Bool
  private let probe: ReachabilityProbe
  private var notice = WaitNotice()
  private var isWelcome = false
  /// Since when it waits.
  private var since: Duration
  /// When it was last asked why nobody answers; nil once that was told.
  private var askedAt: Duration?

  init(_ endpoint: Endpoint, hasKeys: Bool, at now: Duration) {
    self.endpoint = endpoint
    self.hasKeys = hasKeys
    news = ConnectionNews(hasKeys: hasKeys)
    probe = ReachabilityProbe(endpoint)
    since = now
  }

  mutating func take(from monitor: SocketMonitor) throws(ZeroMQError) {
    try news.take(from: monitor)
  }

  /// What is to be said now, if anything.
  ///
  /// - Parameter isWelcome: whether the coordinator has welcomed the worker and still answers.
  mutating func look(isWelcome: Bool, at now: Duration) -> Observation? {
    defer { self.isWelcome = isWelcome }
    guard !isWelcome else {
      guard !self.isWelcome else { return nil }
      let waited = notice.isTold ? ", after \((now - since).components.seconds) s" : ""
      (notice, askedAt) = (WaitNotice(), nil)
      return Observation(.coordinatorFound, detail: "at \(endpoint)\(waited)")
    }
    if self.isWelcome { since = now }
    // A connection takes a moment; one that can't be made is told at once.
    guard news.hasFailed || now - since >= .seconds(1) else { return nil }
    guard let askedAt else {
      guard notice.isDue("coordinator", at: now) else { return nil }
      probe.look()
      self.askedAt = now
      return nil
    }
    // Whether a name is known may take a name server long.
    guard !probe.isLooking || now - askedAt >= .seconds(2) else { return nil }
    self.askedAt = nil
    let why =
      news.isConnected
      ? "it is there, but gives no answer"
      : (probe.found ?? .silent).explanation(of: endpoint, hasKeys: hasKeys)
    let seconds = (now - since).components.seconds
    return Observation(
      .coordinatorSilent,
      detail: "no coordinator answers at \(endpoint): \(why); this worker goes on trying"
        + (seconds >= 5 ? ", for \(seconds) s now" : ""))
  }
}
