internal import AttentionMasks

/// One worker's part in a job: fetches tiles, folds them in ascending order, serves its shard, hands
/// in results. Pure: the same events give the same effects. Driven by the worker's loop and by the
/// simulator.
///
/// What it waits for of the inputs others have, or the store: nobody waits until another has folded. What ranks
/// compute waits for the steps before it, in the one order of all steps.
package struct Worker: Sendable {
  /// What the shell tells the core.
  package enum Event: Sendable {
    case coordinator(CoordinatorMessage)
    case job(JobID, JobEvent)
    /// A peer's link closed.
    case linkClosed(Link)
    /// Bytes of a job's block map came from the store, whole and as it sent them.
    case blocks(BlocksPull, [UInt8])
    /// The process was asked to end.
    case end
    case tick
  }

  /// What the shell does, in order.
  package enum Effect: Sendable {
    case send(WorkerMessage)
    /// A heartbeat: the shell fills in its counters.
    case beat(WorkerMessage.Heartbeat)
    /// Ask the store for bytes of the block map of a job that is about to begin.
    case pullBlocks(BlocksPull)
    /// A job begins.
    case begin(Assignment, Plan)
    case job(JobID, JobEffect)
    /// Drop everything of the job; when it is over its checkpoints too.
    case release(JobID, isOver: Bool)
    /// The process may end.
    case leave
    case observe(Observation)
  }

  /// A peer's connection to this worker; the shell's number.
  package struct Link: Hashable, Sendable {
    package let number: UInt64
    package init(number: UInt64) { self.number = number }
  }

  /// Where a tile or a state can be asked for.
  package enum Source: Hashable, Sendable {
    case peer(WorkerID)
    /// The coordinator's input store, which has every tile.
    case store
  }

  package private(set) var hello: WorkerMessage.Hello
  package private(set) var run: WorkerRun?
  /// Of a job that begins when its block map is here; nil where there is a run.
  package internal(set) var fetch: BlocksFetch?
  /// Whether the shell has a directory for checkpoints.
  let hasSlots: Bool
  package let windowBytes: Int
  let outboxTiles: Int
  let defect: Defect?
  private var term: UInt64 = 0
  /// Revision of the newest table seen, of any job.
  private var newest = Epoch.lowest
  /// Whether its coordinator has welcomed it and still answers.
  package private(set) var isWelcome = false
  /// Why its coordinator can't take it in yet.
  private var waitsBecause = ""
  private var lastHeard: Duration?
  /// Since when only a coordinator of a lower term speaks, and whether that was told.
  private var outdated: (since: Duration, isTold: Bool)?
  private var lastHello: Duration?
  private var lastBeat: Duration?
  /// It is to be relieved of what it hosts and to go: it says so to every coordinator that welcomes
  /// it, for one that was started again knows nothing of it.
  private var isLeaving = false
  /// When its process was asked to end, which it does in any case after a while. Who is drained by
  /// its coordinator has time.
  private var endingSince: Duration?
  /// It has said goodbye, and its process is about to end.
  private var hasLeft = false

  /// - Parameter windowBytes: of the packed tiles in a rank's window.
  package init(
    hello: WorkerMessage.Hello, hasSlots: Bool = false, windowBytes: Int = Limits.windowBytes,
    outboxTiles: Int = Limits.outboxTiles, defect: Defect? = nil
  ) {
    self.hello = hello
    self.hasSlots = hasSlots
    self.windowBytes = windowBytes
    self.outboxTiles = outboxTiles
    self.defect = defect
  }

  package mutating func handle(_ event: Event, at now: Duration) -> [Effect] {
    var effects = Effects()
    // It has said goodbye: whatever it said now would bring it back.
    guard !hasLeft else { return [] }
    effects.job = run?.job
    switch event {
    case .coordinator(let message): receive(message, at: now, into: &effects)
    case .job(let job, let event):
      if run?.job == job {
        run?.handle(event, at: now, into: &effects)
      } else {
        refuse(event, of: job, into: &effects)
      }
    case .linkClosed(let link): run?.close(link)
    case .blocks(let pull, let bytes): receive(pull, bytes, at: now, into: &effects)
    case .end: leave(at: now, into: &effects)
    case .tick: tick(at: now, into: &effects)
    }
    guard !hasLeft, let job = run?.job else { return effects.list }
    effects.job = job
    run?.proceed(at: now, into: &effects)
    if effects.isUrgent { beat(at: now, into: &effects) }
    return effects.list
  }

  /// Of a job that isn't here only who waits for an answer gets one: the asker turns to another source.
  private mutating func refuse(_ event: JobEvent, of job: JobID, into effects: inout Effects) {
    effects.job = job
    switch event {
    case .pull(let pull, let link): effects.append(.answer(.no, pull, to: link))
    case .copy(let header, let link, _):
      effects.append(.receipt(header.receipt(.unavailable), to: link))
    case .badCopy(let header, let link):
      effects.append(.receipt(header.receipt(.unavailable), to: link))
    case .statePull(let pull, let link):
      effects.append(.stateAnswer(pull.answer(next: 0, .notFound), to: link))
    case .sourceLost(.store) where fetch?.job == job: fetch?.lost()
    default: break
    }
  }

  private mutating func receive(
    _ message: CoordinatorMessage, at now: Duration, into effects: inout Effects
  ) {
    if case .refused(let code, let reason) = message {
      // It is told again and again while it has to wait.
      guard code != .unavailable || reason != waitsBecause else { return }
      waitsBecause = reason
      effects.append(.observe(Observation(.workerRefused, worker: hello.name, detail: reason)))
      return
    }
    // A coordinator that another has replaced is not listened to.
    guard message.term >= term else { return ignore(message, at: now, into: &effects) }
    lastHeard = now
    outdated = nil
    term = message.term
    hello.term = term
    switch message {
    case .welcome:
      isWelcome = true
      waitsBecause = ""
      if isLeaving { effects.append(.send(.leaving)) }
      beat(at: now, into: &effects)
    case .refused, .beat: break
    case .introduce:
      isWelcome = false
      lastHello = now
      effects.append(.send(.hello(hello)))
    case .assign(let assignment, _): take(assignment, at: now, into: &effects)
    case .release(let job, let isOver, _):
      if (run?.job ?? fetch?.job) == job { release(isOver: isOver, into: &effects) }
    case .drain:
      // Answered each time: the answer may be lost as well.
      isLeaving = true
      effects.append(.send(.leaving))
    case .cordon(let isCordoned, _):
      hello.isCordoned = isCordoned
      beat(at: now, into: &effects)
    case .leave:
      guard isLeaving || run == nil && fetch == nil else { return }
      release(into: &effects)
      sayGoodbye(into: &effects)
    }
  }

  /// A few words of the coordinator before are nothing. Where nobody else speaks, this worker was sent to
  /// the wrong one, or that one's clock goes wrong, and somebody has to see that.
  private mutating func ignore(
    _ message: CoordinatorMessage, at now: Duration, into effects: inout Effects
  ) {
    let since = outdated?.since ?? now
    let isTold = outdated?.isTold ?? false
    let isTime = !isTold && now - since >= silenceTimeout
    outdated = (since, isTold || isTime)
    guard isTime else { return }
    effects.append(
      .observe(
        Observation(
          .staleRefused, worker: hello.name,
          detail: "the coordinator has term \(message.term), older than \(term) of the last one: it"
            + " is not listened to; restart this worker to follow it")))
  }

  private mutating func take(
    _ assignment: Assignment, at now: Duration, into effects: inout Effects
  ) {
    // A table that was overtaken on its way must not bring back what this worker has let go.
    guard assignment.problem == nil, assignment.revision >= newest else { return }
    // What is computed doesn't change while a job runs: this worker's state would not fit.
    let present = run?.assignment ?? fetch?.assignment
    if let present, present.job == assignment.job, !assignment.isSamePlan(as: present) { return }
    newest = assignment.revision
    if let present, present.job == assignment.job {
      guard assignment.revision > present.revision else { return }
      guard assignment.peer(of: hello.worker) != nil else { return release(into: &effects) }
      fetch?.adopt(assignment)
      run?.adopt(assignment, at: now, into: &effects)
      if run != nil { tellAssigned(assignment, into: &effects) }
    } else {
      guard assignment.peer(of: hello.worker) != nil else { return }
      release(into: &effects)
      guard assignment.spec.mask.blocks == nil else {
        fetch = BlocksFetch(assignment)
        return proceedFetch(at: now, into: &effects)
      }
      begin(assignment, blocks: nil, into: &effects)
    }
  }

  /// Nothing is missing any more that has to be known before the first step.
  mutating func begin(
    _ assignment: Assignment, blocks: BlockMap?, into effects: inout Effects
  ) {
    var run = WorkerRun(
      assignment: assignment, blocks: blocks, worker: hello.worker, windowBytes: windowBytes,
      outboxTiles: outboxTiles, hasSlots: hasSlots, defect: defect)
    effects.append(.begin(assignment, run.plan))
    effects.job = assignment.job
    run.hostAssigned(into: &effects)
    self.run = run
    tellAssigned(assignment, into: &effects)
  }

  private mutating func tellAssigned(_ assignment: Assignment, into effects: inout Effects) {
    let hosted = run?.ranks.map(\.vrank.description).joined(separator: ", ") ?? ""
    effects.append(
      .observe(
        Observation(
          .assigned, job: assignment.job, worker: hello.name,
          detail: hosted.isEmpty ? "no virtual ranks" : "virtual ranks \(hosted)")))
    effects.tellSoon()
  }

  mutating func release(isOver: Bool = false, into effects: inout Effects) {
    guard let job = run?.job ?? fetch?.job else { return }
    // The last word about the job goes out while its counters are still there.
    effects.append(.beat(heartbeat(isLast: true)))
    (run, fetch) = (nil, nil)
    effects.append(.release(job, isOver: isOver))
    effects.append(.observe(Observation(.released, job: job, worker: hello.name)))
  }

  private mutating func tick(at now: Duration, into effects: inout Effects) {
    if let heard = lastHeard, now - heard >= silenceTimeout { isWelcome = false }
    if isWelcome {
      if lastBeat.map({ now - $0 >= beatInterval }) ?? true { beat(at: now, into: &effects) }
    } else if lastHello.map({ now - $0 >= .milliseconds(250) }) ?? true {
      lastHello = now
      effects.append(.send(.hello(hello)))
    }
    if let endingSince, now - endingSince >= Limits.drainTimeout {
      sayGoodbye(into: &effects)
    }
    run?.expire(at: now, into: &effects)
    proceedFetch(at: now, into: &effects)
  }

  /// A job without protection has no heartbeats either: a sign of life now and then keeps the
  /// connection's state known.
  private var beatInterval: Duration {
    (run?.assignment ?? fetch?.assignment)?.isProtected == false
      ? Limits.quietBeatInterval : Limits.heartbeatInterval
  }

  /// A coordinator answers heartbeats: where they are rare, so are its signs of life.
  private var silenceTimeout: Duration {
    beatInterval + Limits.heartbeatTimeout - Limits.heartbeatInterval
  }

  private mutating func beat(at now: Duration, into effects: inout Effects) {
    guard isWelcome else { return }
    lastBeat = now
    effects.append(.beat(heartbeat(isLast: false)))
  }

  private func heartbeat(isLast: Bool) -> WorkerMessage.Heartbeat {
    // Also while its block map is on its way it follows the table.
    let table = run?.assignment ?? fetch?.assignment
    return WorkerMessage.Heartbeat(
      job: table?.job, revision: table?.revision ?? .lowest, term: term,
      progress: run?.progress ?? [], held: run?.heldCopies ?? [],
      unreachable: run?.unreachable ?? [], isLast: isLast, isCordoned: hello.isCordoned)
  }

  /// Asks to be relieved of what it hosts; a worker that hosts nothing just goes.
  private mutating func leave(at now: Duration, into effects: inout Effects) {
    guard endingSince == nil else { return }
    endingSince = now
    // Who has begun nothing has nothing to hand over.
    guard let run, run.assignment.isProtected, !run.ranks.allSatisfy({ $0.isDone }) else {
      sayGoodbye(into: &effects)
      return
    }
    isLeaving = true
    effects.append(.send(.leaving))
  }
}

extension Worker {
  private mutating func sayGoodbye(into effects: inout Effects) {
    hasLeft = true
    effects.append(.send(.goodbye))
    effects.append(.leave)
  }
}

extension CoordinatorMessage {
  /// Of the coordinator that sent it; a refusal counts whatever the term.
  var term: UInt64 {
    switch self {
    case .welcome(let term, _), .beat(let term), .assign(_, let term), .release(_, _, let term),
      .introduce(let term), .drain(let term), .cordon(_, let term), .leave(let term):
      term
    case .refused: .max
    }
  }
}
