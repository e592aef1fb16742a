internal import AttentionKernels
internal import MeshCore
internal import MeshWire
internal import ZeroMQ

/// The thread of a worker that owns all its sockets and never computes: it feeds the core, keeps
/// frames, answers peers and sends heartbeats.
final class WorkerLoop {
  /// What other threads tell it.
  enum Notice: Sendable {
    /// A fold, or something else that the core waits for.
    case done(JobID, JobEvent)
    /// Tiles that a step published: told before the step is done.
    case published(JobID, [PublishedTile])
    /// A checkpoint can't be used.
    case alarm(JobID, VRank, reason: String)
    /// Say goodbye in order: hand over what is hosted.
    case end
    /// End at once.
    case stop
  }

  var core: Worker
  let configuration: WorkerService.Configuration
  let pool: ComputePool
  let notices: Mailbox<Notice>
  /// Nil where everybody is admitted.
  let gate: PeerGate?
  let dataContext: Context
  /// Begins the routing ids of its connections.
  let linkOwner: UInt64
  /// Whether names of others are looked up as IPv6 addresses: where it listens at one itself.
  let usesIPv6: Bool
  let control: OwnedSocket
  private let controlMonitor: SocketMonitor
  private var coordinatorWatch: CoordinatorWatch
  let data: OwnedSocket
  var job: WorkerJob?
  /// To the store, while a job waits for its block map.
  var blocksLink: PullLink?
  var storeEndpoint = ""
  var poller = Poller()
  var isPollerStale = true
  var nextLink: UInt64 = 1
  /// Routing ids of peers by link number.
  var peers: [(number: UInt64, routingID: [UInt8])] = []
  var nextPeer: UInt64 = 1
  var ending: WorkerService.Ending?
  private var stopAt: Duration?
  private var endingSoon = WorkerService.Ending.stopped
  /// A part of a tile, or a message of a copy, that the core is being told of.
  var arrivals = Arrivals<StoredFrame>()
  /// Its work may be blocked by a disk for as long as the disk likes.
  let disk: BackgroundQueue
  /// Copies from memory to memory that take too long for this thread.
  let memory: BackgroundQueue
  var pacer: LinkPacer
  let foldPacer = FoldPacer()
  /// Nil when nobody watches.
  let reporter: WorkerReporter?
  private var shim = MessageShim(1)
  /// Events in order, the first of which the core is being told of.
  private var untold: [Worker.Event] = []

  init(
    core: Worker, configuration: WorkerService.Configuration, pool: ComputePool,
    disk: BackgroundQueue, memory: BackgroundQueue, notices: Mailbox<Notice>,
    gate: PeerGate?, coordinator: Endpoint, control: OwnedSocket, controlMonitor: SocketMonitor,
    data: OwnedSocket, dataContext: Context, linkOwner: UInt64, usesIPv6: Bool
  ) {
    self.core = core
    self.configuration = configuration
    reporter = configuration.board.map { WorkerReporter($0) }
    self.pool = pool
    self.disk = disk
    self.memory = memory
    self.notices = notices
    self.gate = gate
    self.control = control
    self.controlMonitor = controlMonitor
    coordinatorWatch = CoordinatorWatch(
      coordinator, hasKeys: configuration.credentials != nil, at: MonotonicClock.now)
    self.data = data
    self.dataContext = dataContext
    self.linkOwner = linkOwner
    self.usesIPv6 = usesIPv6
    pacer = LinkPacer(bytesPerSecond: configuration.model?.linkBytesPerSecond)
  }

  /// Runs until it is told to stop or refused.
  func run() throws(ZeroMQError) -> WorkerService.Ending {
    let interval = Limits.tickInterval
    var nextTick = MonotonicClock.now
    while ending == nil {
      if isPollerStale { watchAll() }
      let wake = stopAt ?? min(nextTick, pacer.nextDue ?? nextTick)
      try poller.wait(upTo: max(.zero, wake - MonotonicClock.now))
      // Control first: a release ends work that need not be done.
      for _ in 0..<64 {
        guard let message = try control.socket.receive() else { break }
        pass(message, to: receiveControl)
      }
      for notice in notices.drain() { receive(notice) }
      for _ in 0..<64 {
        guard let message = try data.socket.receive() else { break }
        pass(message, to: receiveFromPeer)
      }
      try receiveFromSources()
      sendPaced()
      if let stopAt, MonotonicClock.now >= stopAt { ending = endingSoon }
      if MonotonicClock.now >= nextTick, stopAt == nil {
        let lateness = MonotonicClock.now - nextTick
        try coordinatorWatch.take(from: controlMonitor)
        if let refusal = coordinatorWatch.news.refusal { ending = .refused(refusal) }
        tellReach()
        perform(.tick)
        if let word = coordinatorWatch.look(isWelcome: core.isWelcome, at: MonotonicClock.now) {
          configuration.log.write(word)
        }
        reporter?.publish(self, at: MonotonicClock.now, lateness: lateness)
        nextTick = MonotonicClock.now + interval
      }
    }
    return ending ?? .stopped
  }

  /// What a test loses or repeats, it does here.
  private func pass(_ message: consuming Message, to receive: (consuming Message) -> Void) {
    if shim == nil { return receive(message) }
    // Taken out, since what is delivered may come back here.
    var shim = shim
    shim?.pass(message, to: receive)
    self.shim = shim
  }

  private func watchAll() {
    isPollerStale = false
    poller = Poller()
    poller.watch(control)
    poller.watch(data)
    poller.watch(notices)
    for link in links {
      poller.watch(link.connection.socket)
      poller.watch(link.connection.monitor.socket)
    }
  }

  private var links: [PullLink] {
    (job.map { Array($0.links.values) } ?? []) + [blocksLink].compactMap(\.self)
  }

  // MARK: In

  private func receive(_ notice: Notice) {
    switch notice {
    case .done(let id, let event):
      if case .folded(_, _, _, let cost) = event, job?.id == id {
        job?.folded(busySeconds: pool.busySeconds)
        job?.foldTimes.add(cost.seconds / Double(pool.threadCount))
      }
      perform(event, of: id)
    case .published(let id, let tiles):
      guard let job, job.id == id else { return }
      for tile in tiles { memory.free(job.shelf.set(tile)) }
    case .alarm(let job, let vrank, let reason):
      send(.alarm(job, vrank, reason: reason))
      configuration.log.write(
        Observation(.checkpointAlarm, job: job, vrank: vrank, detail: reason))
    case .end: perform(.end)
    case .stop:
      // The goodbye has to arrive before the connections break, or it would look like a loss.
      send(.goodbye)
      stopSoon(.stopped)
    }
  }

  /// Ends when what was sent last has had time to leave.
  func stopSoon(_ reason: WorkerService.Ending) {
    guard stopAt == nil else { return }
    stopAt = MonotonicClock.now + .milliseconds(100)
    endingSoon = reason
  }

  private func receiveControl(_ message: consuming Message) {
    let frame = message.header.withUnsafeBytes { try? ControlFrame(decoding: $0) }
    guard case .coordinator(let order) = frame else {
      job?.traffic.dropped += 1
      return
    }
    if case .welcome(_, let store) = order, store != storeEndpoint {
      // A restarted coordinator may serve its store elsewhere.
      storeEndpoint = store
      if let link = job?.links[.store] ?? blocksLink { lose(link) }
    }
    // One that isn't available yet is asked again.
    if case .refused(let code, let reason) = order, code != .unavailable {
      ending = code == .aborted ? .fenced(reason) : .refused(reason)
    }
    perform(.coordinator(order))
  }

  private func receiveFromPeer(_ message: consuming Message) {
    if let gate, !gate.isPeer(message.user) {
      job?.traffic.dropped += 1
      return
    }
    let frame = message.header.withUnsafeBytes { try? DataFrame(decoding: $0) }
    guard let routingID = message.routingID else { return }
    job?.traffic.countReceived(message)
    switch frame {
    case .pull(let pull): perform(.pull(pull, from: link(of: routingID)), of: pull.job)
    case .statePull(let pull):
      perform(.statePull(pull, from: link(of: routingID)), of: pull.job)
    case .passQuestion(let question):
      perform(.passQuestion(question, from: link(of: routingID)), of: question.job)
    case .copy(let header):
      if let payload = message.payload.take() {
        receive(header, payload, from: link(of: routingID))
      }
    default: job?.traffic.dropped += 1
    }
  }

  /// A message of a copy for this worker's memory: the core says whether it is kept.
  private func receive(_ header: CopyHeader, _ payload: consuming Frame, from link: Worker.Link) {
    // Of another job its bytes can't be told to be right: the core refuses it.
    let frame = StoredFrame(payload)
    if let job, job.id == header.job, !job.accepts(frame, header) {
      return perform(.badCopy(header, from: link), of: header.job)
    }
    perform(.copy(header, from: link, arrivals.add(frame)), of: header.job)
    arrivals.clear()
  }

  /// A message of a copy that is to be gone on from.
  private func receive(
    _ header: CopyHeader, _ payload: consuming Frame, from source: Worker.Source
  ) {
    guard let job, core.run?.takes(header, from: source) == true else {
      self.job?.traffic.dropped += 1
      return
    }
    let frame = StoredFrame(payload)
    guard job.accepts(frame, header) else {
      return perform(.badStatePart(header, from: source), of: header.job)
    }
    let bytes = arrivals.add(frame)
    perform(.statePart(header, from: source, bytes), of: header.job)
    arrivals.clear()
  }

  private func link(of routingID: [UInt8]) -> Worker.Link {
    if let known = peers.first(where: { $0.routingID == routingID }) {
      return Worker.Link(number: known.number)
    }
    if peers.count >= 4 * Limits.workersMaximum { peers.removeFirst() }
    peers.append((nextPeer, routingID))
    nextPeer += 1
    return Worker.Link(number: nextPeer - 1)
  }

  private func receiveFromSources() throws(ZeroMQError) {
    for link in links {
      if link.connection.isBroken() {
        lose(link)
        continue
      }
      if link.isWaiting {
        var before = Traffic()
        if let job { link.flush(counting: &job.traffic) } else { link.flush(counting: &before) }
      }
      // At most what one pull may bring at a time, so that no source starves another.
      for _ in 0..<16 {
        guard let message = try link.connection.socket.socket.receive() else { break }
        pass(message) { receive($0, from: link) }
      }
    }
  }

  private func lose(_ link: PullLink) {
    if link === blocksLink { blocksLink = nil }
    job?.links[link.source] = nil
    isPollerStale = true
    guard let id = job?.id ?? core.fetch?.assignment.job else { return }
    // It broke as soon as it was there: whether the next one can be made is to be seen.
    if link.connection.isToldUnreachable, case .peer(let worker) = link.source {
      perform(.reach(worker, true), of: id)
    }
    perform(.sourceLost(link.source), of: id)
  }

  /// Tells the core of peers that can't be connected to, and that can be again.
  private func tellReach() {
    for link in links {
      guard case .peer(let worker) = link.source, let id = job?.id,
        let isReachable = link.connection.takeReach(at: MonotonicClock.now)
      else { continue }
      perform(.reach(worker, isReachable), of: id)
    }
  }

  private func receive(_ message: consuming Message, from link: PullLink) {
    let frame = message.header.withUnsafeBytes { try? DataFrame(decoding: $0) }
    job?.traffic.countReceived(message)
    switch frame {
    case .answer(let answer, let header):
      perform(.answer(answer, header.tile, from: link.source), of: header.job)
    case .part(let header):
      if let payload = message.payload.take() {
        receive(header, StoredFrame(payload), from: link.source)
      }
    case .receipt(let receipt): perform(.receipt(receipt), of: receipt.job)
    case .blocks(let pull):
      if let payload = message.payload.take() { receive(pull, payload) }
    case .copyReceipt(let receipt):
      perform(.copyReceipt(receipt, from: link.source), of: receipt.job)
    case .stateAnswer(let answer):
      perform(.stateAnswer(answer, from: link.source), of: answer.job)
    case .passAnswer(let answer):
      perform(.passAnswer(answer, from: link.source), of: answer.job)
    case .statePart(let header):
      if let payload = message.payload.take() { receive(header, payload, from: link.source) }
    default: job?.traffic.dropped += 1
    }
  }

  private func receive(_ pull: BlocksPull, _ payload: consuming Frame) {
    guard core.fetch?.takes(pull) == true else { return }
    let bytes = payload.withUnsafeBytes { frame -> [UInt8]? in
      guard let chunk = try? PayloadFrame<Chunk>(decoding: frame),
        chunk.message.offset == pull.offset, (try? chunk.verify(in: frame)) != nil
      else { return nil }
      return Array(chunk.payload(in: frame))
    }
    // What was damaged on its way is asked for again.
    if let bytes { perform(.blocks(pull, bytes)) }
  }

  /// Takes a part if the core waits for it and it is what it says: what the core would pass over
  /// must not be kept, or the same part could never be taken again.
  private func receive(_ header: PartHeader, _ frame: StoredFrame, from source: Worker.Source) {
    guard let job, header.job == job.id, header.planTag == job.planTag,
      core.run?.takes(header.part, of: header.tile) == true
    else {
      self.job?.traffic.dropped += 1
      return
    }
    guard job.accepts(frame, header) else {
      job.traffic.dropped += 1
      return perform(.badPart(header.tile, from: source), of: header.job)
    }
    let bytes = arrivals.add(frame)
    perform(.part(header.tile, part: header.part, from: source, bytes), of: header.job)
    arrivals.clear()
  }

  func perform(_ event: JobEvent, of job: JobID) { perform(.job(job, event)) }

  /// What happens while effects are carried out is told afterwards: the core counts on all of them.
  func perform(_ event: Worker.Event) {
    untold.append(event)
    guard untold.count == 1 else { return }
    while let event = untold.first {
      for effect in core.handle(event, at: MonotonicClock.now) { act(effect) }
      untold.removeFirst()
    }
  }
}
