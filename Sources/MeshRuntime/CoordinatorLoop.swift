internal import MeshCore
internal import MeshWire
internal import ZeroMQ

/// The control half of the coordinator: a thread that owns the control socket and the core.
final class CoordinatorLoop {
  /// What other threads tell it.
  enum Notice: Sendable {
    case store(StoreEvent)
    /// A commit succeeded or failed.
    case journal(Coordinator.Event)
    /// A local worker's process ended.
    case processEnded(name: String, reason: String)
    /// Something that belongs among the events.
    case noted(Observation)
    /// The list of keys was looked at.
    case keys(AllowGate.Change)
    case stop
  }

  private var core: Coordinator
  private let router: OwnedSocket
  /// Tells of connections that fail; nil where everybody is admitted.
  private let routerMonitor: SocketMonitor?
  let notices: Mailbox<Notice>
  private let orders: Mailbox<StoreLoop.Order>
  private let context: Context
  /// Whether names of workers are looked up as IPv6 addresses: where it listens at one itself.
  private let usesIPv6: Bool
  /// Nil without a named store: then nothing outlives this process, and every commit succeeds.
  private let journal: JournalQueue?
  /// Nil without a named store.
  private let keeper: EventKeeper?
  private var nextClock = MonotonicClock.now
  /// Nil where everybody is admitted.
  let gate: AllowGate?
  private let log: ObservationLog
  /// Reads the list of keys.
  let keyReader: BackgroundQueue?
  var isReadingKeys = false
  var nextGateCheck = MonotonicClock.now
  var nextRefusalReport = MonotonicClock.now
  /// Nil when nobody watches.
  private let reporter: CoordinatorReporter?
  private var poller = Poller()
  var workers: [WorkerID: Peer] = [:]
  /// Routing ids of callers by number, oldest first; a reply to one that was forgotten is dropped.
  private var callers: [(number: UInt64, link: [UInt8], user: String?)] = []
  private var nextCaller: UInt64 = 1
  /// Links of workers that aren't known, oldest first.
  private var strangers: [(worker: WorkerID, link: [UInt8])] = []
  private var droppedMessages = 0
  private var shim = MessageShim(2)
  private var sendShim = MessageShim(4)

  struct Peer {
    var link: [UInt8]
    var name: String
    /// The key that its connection proved.
    var user: String?
    let endpoint: String
    let security: SocketSecurity
    var watch: WatchLink?
    /// Since when its connection is broken and another is tried.
    var doubtedSince: Duration?
  }

  init(
    core: Coordinator, router: OwnedSocket, routerMonitor: SocketMonitor?, context: Context,
    usesIPv6: Bool, notices: Mailbox<Notice>, orders: Mailbox<StoreLoop.Order>,
    journal: JournalQueue?, keeper: EventKeeper?, gate: AllowGate?,
    keyReader: BackgroundQueue?,
    log: ObservationLog, board: StatusBoard<CoordinatorReport>?
  ) {
    self.core = core
    self.router = router
    self.routerMonitor = routerMonitor
    self.context = context
    self.usesIPv6 = usesIPv6
    self.notices = notices
    self.orders = orders
    self.journal = journal
    self.keeper = keeper
    self.gate = gate
    self.keyReader = keyReader
    self.log = log
    reporter = board.map { CoordinatorReporter($0) }
  }

  func run() throws(ZeroMQError) {
    poller.watch(router)
    poller.watch(notices)
    if let routerMonitor { poller.watch(routerMonitor.socket) }
    let interval = Limits.tickInterval
    var nextTick = MonotonicClock.now
    while true {
      try poller.wait(upTo: max(.zero, nextTick - MonotonicClock.now))
      for notice in notices.drain() {
        switch notice {
        case .stop:
          keeper?.finish(core)
          return
        case .store(let event): perform(.store(event))
        case .journal(let event): perform(event)
        case .processEnded(let name, let reason): processEnded(name, reason)
        case .noted(let observation): perform(.noted(observation))
        case .keys(let change): receive(change)
        }
      }
      // Messages first: a worker that said goodbye isn't lost when its link breaks.
      for _ in 0..<64 {
        guard let message = try router.socket.receive() else { break }
        if shim == nil { receive(message) } else { passThroughShim(message) }
      }
      try noticeStrangers()
      noticeBrokenLinks()
      if MonotonicClock.now >= nextTick {
        Failpoint.pass("coordinator-tick")
        let lateness = MonotonicClock.now - nextTick
        checkGate()
        tellClock()
        tellReach()
        perform(.tick)
        keeper?.keep(core)
        reporter?.publish(
          core, at: MonotonicClock.now, lateness: lateness, droppedMessages: droppedMessages)
        nextTick = MonotonicClock.now + interval
      }
    }
  }

  /// The clock on the wall may be set while this runs, as when a machine has just been started.
  private func tellClock() {
    guard MonotonicClock.now >= nextClock else { return }
    nextClock = MonotonicClock.now + .seconds(5)
    perform(.clock(WallClock.seconds))
  }

  private func passThroughShim(_ message: consuming Message) {
    var shim = shim
    shim?.pass(message, to: receive)
    self.shim = shim
  }

  /// Counts those that fail before they show a key; at most so many in a turn, whoever floods it.
  private func noticeStrangers() throws(ZeroMQError) {
    guard let routerMonitor else { return }
    for _ in 0..<256 {
      guard let event = try routerMonitor.next() else { return }
      switch event.kind {
      case .handshakeFailed(.otherMechanism), .handshakeFailed(.protocolError): gate?.noteKeyless()
      default: break
      }
    }
  }

  private func noticeBrokenLinks() {
    // By id, so that the one that is named for a job's end isn't drawn by lot.
    let doubtful = workers.filter {
      $0.value.doubtedSince != nil || $0.value.watch?.isBroken() == true
    }
    for worker in doubtful.keys.sorted() where isGone(worker) {
      let isRefused = workers[worker]?.watch?.look() == .refused
      forget(worker)
      perform(.workerGone(worker, reason: "its connection broke", isRefused: isRefused))
    }
  }

  /// A connection that broke is made again at once. A process that lives answers within a few round trips,
  /// and nothing has happened; where one died, nobody listens any more.
  private func isGone(_ worker: WorkerID) -> Bool {
    guard let peer = workers[worker], let watch = peer.watch else { return false }
    let now = MonotonicClock.now
    guard let since = peer.doubtedSince else {
      workers[worker]?.doubtedSince = now
      return !watchAnew(worker)
    }
    let state = watch.look()
    if state == .connected {
      workers[worker]?.doubtedSince = nil
      perform(
        .noted(
          Observation(
            .connectionReset, worker: peer.name, detail: "it broke, and was made again at once")))
      return false
    }
    // Where somebody listens the machine may only be busy.
    let patience = state == .reached ? Limits.handshakeTimeout : Limits.reconnectTimeout
    if state == .refused || now - since >= patience { return true }
    return state == .broken || state == .dropped ? !watchAnew(worker) : false
  }

  /// - Returns: false if there can be no other connection.
  private func watchAnew(_ worker: WorkerID) -> Bool {
    guard let peer = workers[worker] else { return false }
    if let watch = peer.watch { poller.forget(watch.monitor.socket) }
    let watch = self.watch(peer.endpoint, peer.security)
    workers[worker]?.watch = watch
    return watch != nil
  }

  private func watch(_ endpoint: String, _ security: SocketSecurity) -> WatchLink? {
    var options = Sockets.control(security)
    options.usesIPv6 = usesIPv6
    let watch = try? WatchLink(endpoint: endpoint, options: options, context: context)
    if let watch { poller.watch(watch.monitor.socket) }
    return watch
  }

  /// Workers whose own address leads nowhere: their loss is found by their silence alone.
  private func tellReach() {
    for worker in workers.keys.sorted() {
      guard let isReachable = workers[worker]?.watch?.takeReach(at: MonotonicClock.now) else {
        continue
      }
      perform(.workerReach(worker, isReachable))
    }
  }

  private func processEnded(_ name: String, _ reason: String) {
    if let (worker, _) = workers.first(where: { $0.value.name == name }) { forget(worker) }
    // Also when its connection broke before: that alone is no proof.
    perform(.processEnded(name: name, reason: reason))
  }

  func forget(_ worker: WorkerID) {
    guard let peer = workers.removeValue(forKey: worker), let watch = peer.watch else { return }
    poller.forget(watch.monitor.socket)
  }

  // MARK: In

  private func receive(_ message: consuming Message) {
    guard let link = message.routingID else { return }
    let sender = gate?.entry(message.user)
    do throws(WireError) {
      let frame = try message.header.withUnsafeBytes { bytes throws(WireError) in
        try ControlFrame(decoding: bytes)
      }
      // Whoever was taken off the list since its handshake.
      if gate != nil, sender == nil {
        droppedMessages += 1
        return refuseRevoked(frame, link)
      }
      receive(frame, from: link, sender)
    } catch {
      droppedMessages += 1
    }
  }

  private func receive(_ frame: ControlFrame, from link: [UInt8], _ sender: AllowList.Entry?) {
    switch frame {
    case .worker(let message, let worker):
      guard mayAct(as: worker, message, sender) else {
        droppedMessages += 1
        return refuse(message, link, sender)
      }
      if workers[worker] == nil { greetStranger(worker, link) }
      if case .hello(let hello) = message { greet(hello, link: link) }
      perform(.message(message, from: worker))
      if case .goodbye = message { forget(worker) }
    case .call(var header, let request):
      if let sender { (header.role, header.client) = (sender.role, sender.name) }
      switch request {
      case .failure(let failure):
        reporter?.note(.failure(failure))
        send(.reply(header.request, .failure(failure)), to: link)
      case .success(let request):
        let number = caller(link, user: sender?.key.text)
        let ticket = Coordinator.Ticket(caller: number, request: header.request)
        perform(.call(header, request, ticket))
      }
    case .coordinator, .reply: droppedMessages += 1
    }
  }

  /// A worker that comes anew gets a link of its own, so that its loss is noticed at once.
  private func greet(_ hello: WorkerMessage.Hello, link: [UInt8]) {
    if workers[hello.worker]?.watch == nil {
      let security = security(of: hello)
      workers[hello.worker] = Peer(
        link: link, name: hello.name, user: hello.publicKey?.text, endpoint: hello.endpoint,
        security: security, watch: watch(hello.endpoint, security))
    } else {
      workers[hello.worker]?.link = link
    }
  }

  /// Remembers the link of a worker that hasn't said hello, so that it can be asked to.
  private func greetStranger(_ worker: WorkerID, _ link: [UInt8]) {
    strangers.removeAll { $0.worker == worker }
    if strangers.count >= Limits.workersMaximum { strangers.removeFirst() }
    strangers.append((worker, link))
  }

  private func stranger(_ worker: WorkerID) -> [UInt8]? {
    strangers.last { $0.worker == worker }?.link
  }

  private func caller(_ link: [UInt8], user: String?) -> UInt64 {
    if let known = callers.last(where: { $0.link == link }) { return known.number }
    if callers.count >= Limits.callersKeptMaximum { callers.removeFirst(callers.count / 2) }
    callers.append((nextCaller, link, user))
    nextCaller += 1
    return nextCaller - 1
  }

  // MARK: Out

  func perform(_ event: Coordinator.Event) {
    for effect in core.handle(event, at: MonotonicClock.now) {
      switch effect {
      case .send(let message, let worker):
        guard let link = workers[worker]?.link ?? stranger(worker) else { continue }
        send(.coordinator(message), to: link)
        if case .refused = message { forget(worker) }
      case .reply(let outcome, let ticket):
        reporter?.note(outcome)
        guard let caller = callers.last(where: { $0.number == ticket.caller }) else { continue }
        // What it waited for may be decided when its key isn't good any more.
        let isGood = gate == nil || gate?.entry(caller.user) != nil
        send(.reply(ticket.request, isGood ? outcome : .failure(.revokedKey)), to: caller.link)
      case .store(let command): _ = orders.post(.command(command))
      case .commit(let number, let images, let removed): commit(number, images, removed)
      case .observe(let observation):
        if observation.kind == .workerLost {
          // Its link may be half dead: a worker that is alive says hello again. One of the same name
          // may have joined in its place.
          for (worker, peer) in workers
          where peer.name == observation.worker && !core.isMember(worker) {
            forget(worker)
          }
        }
        reporter?.note(observation, at: MonotonicClock.now)
        log.write(observation)
      }
    }
  }

  private func commit(_ number: UInt64, _ images: [JobImage], _ removed: [JobID]) {
    guard let journal else {
      _ = notices.post(.journal(.committed(number)))
      return
    }
    journal.commit(number, images, removing: removed) { [notices] event in
      _ = notices.post(.journal(event))
    }
  }

  func send(_ frame: ControlFrame, to link: [UInt8]) {
    if sendShim?.loses() == true { return }
    let result = try? router.socket.send(Message(routingID: link, header: Frame(frame.encode())))
    if result != .sent { droppedMessages += 1 }
  }
}
