internal import AttentionMasks

/// One worker's part in a job: fetches tiles, folds them in ascending order, serves its shard, hands
/// in results. Pure: the same events give the same effects. Driven by the worker's loop and by the
/// simulator.
///
/// A tile on its way through a worker:
///
///     absent ─pull─► requested ─last part─► resident ─in a window─► packed ─folded─► resident ─► absent
///                        │                     (foreign tiles may always be dropped; owned ones stay)
///                        └─no, lost, silent─► next source: ring, owner, store
///
/// Nobody waits for another worker's fold, and every chain of waits ends at an owner or the store.
package struct Worker: Sendable {
  /// What the shell tells the core. Everything about a job names it, and everything about a virtual
  /// rank the epoch under which it was hosted: what is left over from an earlier one is dropped.
  package enum Event: Sendable {
    case coordinator(CoordinatorMessage)
    /// A peer asks for a tile.
    case pull(Pull, from: Link)
    /// A peer's link closed.
    case linkClosed(Link)
    case answer(PullAnswer, JobID, TileID, from: Source)
    /// A part arrived whole, is what it says, and is kept by the shell.
    case part(JobID, TileID, part: Int, from: Source)
    /// A part arrived that isn't what it says.
    case badPart(JobID, TileID, from: Source)
    /// The connection to a source broke.
    case sourceLost(JobID, Source)
    /// Whether a peer that was asked for something can be connected to: told when it can't for
    /// `Limits.reachTimeout`, and when it can again.
    case reach(JobID, WorkerID, Bool)
    /// `cost` is the time of compute threads that it took. What the steps published is kept by the shell.
    case folded(JobID, VRank, Epoch, next: Int, cost: Duration)
    /// The result of a virtual rank is normalised and digested.
    case finished(JobID, VRank, Epoch)
    case receipt(ResultReceipt)
    /// Bytes of a job's block map came from the store, whole and as it sent them.
    case blocks(BlocksPull, [UInt8])

    // Copies of this worker's ranks.
    case snapshotTaken(JobID, VRank, Epoch, next: Int, cost: Duration)
    case copyReceipt(CopyReceipt, from: Source)
    case persisted(JobID, VRank, Epoch, slot: Int, next: Int, cost: Duration)
    /// The checkpoints of the rank are lost; another try makes new ones.
    case persistFailed(JobID, VRank, Epoch, reason: String)
    // Copies of others' ranks.
    /// A message of a copy arrived that is what it says; the shell keeps it if it is told to.
    case copy(CopyHeader, from: Link)
    case badCopy(CopyHeader, from: Link)
    case statePull(StatePull, from: Link)
    // State to go on from.
    case stateAnswer(StateAnswer, from: Source)
    /// A message of a copy came back that is what it says.
    case statePart(CopyHeader, from: Source)
    case badStatePart(CopyHeader, from: Source)
    /// The state of a rank was read from memory or disk; nil when nothing usable was there.
    ///
    /// Tiles that the rank had published came with it.
    case restored(JobID, VRank, Epoch, WorkerMessage.Restored?, [TileID] = [])

    // What ranks compute for others.
    /// A tile that had been let go was computed once more, and is kept by the shell.
    case replayed(JobID, TileID)
    case passQuestion(PassQuestion, from: Link)
    case passAnswer(PassAnswer, from: Source)

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
    /// The table of the job changed: other peers, other hosts.
    case adopt(Assignment)
    /// Make room for a virtual rank.
    case host(VRank, Epoch)
    case pull(Pull, from: Source)
    case answer(PullAnswer, Pull, to: Link)
    /// Send one part that is kept.
    case serve(TileID, part: Int, to: Link)
    /// Bring a resident tile into the layout that the kernel reads: K/V of all heads, or the rows of
    /// a query tile, which need no frames afterwards. Done before folds that are asked for later begin.
    case pack(TileID)
    /// Also of a tile whose packing hasn't begun.
    case unpack(TileID)
    /// The frames of a tile are no longer wanted.
    case forget(TileID)
    /// Fold the K/V tiles of steps, ascending, into every row of a virtual rank. Folds, snapshots and results are
    /// done in the order in which they are asked for.
    case fold(VRank, Epoch, steps: Range<Int>)
    /// Compute once more what a step published, from the tiles that it reads.
    case replay(TileID)
    case askPass(PassQuestion, to: Source)
    case answerPass(PassAnswer, to: Link)
    /// Normalise and digest the result.
    case finish(VRank, Epoch)
    case sendResult(VRank, Epoch, message: Int)
    case sendFinal(VRank, Epoch)
    /// The result is final: its memory is free, and its checkpoints are.
    case retire(VRank, Epoch)
    /// Another worker has the rank: its memory is free. Checkpoints stay.
    case abandon(VRank, Epoch)

    /// Copy the messages `first...` of a rank's state, behind the folds asked for so far.
    case snapshot(VRank, Epoch, next: Int, first: Int)
    case sendCopy(CopyHeader, to: Source)
    /// Write messages `first...` of the snapshot to a checkpoint slot, 0 or 1, and all of some tiles that the
    /// rank published, and sync it.
    case persist(VRank, Epoch, slot: Int, next: Int, first: Int, tiles: [TileID])
    case dropSnapshot(VRank)

    /// Keep the message of a copy that has just arrived.
    case keepCopy(CopyHeader)
    /// Messages `first...` that were kept replace those of the copy before: it is whole. Of published tiles
    /// it has these, new and old.
    case completeCopy(VRank, first: Int, tiles: [TileID])
    /// What was kept of a copy that won't become whole.
    case dropPartialCopy(VRank)
    case dropCopy(VRank)
    case receipt(CopyReceipt, to: Link)
    case stateAnswer(StateAnswer, to: Link)
    case serveCopy(CopyHeader, to: Link)

    /// Load the state from the copy in this worker's memory, whatever the disk does.
    case restoreHeld(VRank, Epoch)
    /// Load the state from the best checkpoint.
    case restoreSlot(VRank, Epoch)
    /// The checkpoint is not waited for any more: from now on nothing that is still read of it may get
    /// into the state.
    case endLoad(VRank, Epoch)
    case pullState(StatePull, from: Source)
    /// Load the message of a copy that has just arrived into the rank's state.
    case loadState(CopyHeader)

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
    var effects: [Effect] = []
    // It has said goodbye: whatever it said now would bring it back.
    guard !hasLeft else { return effects }
    switch event {
    case .coordinator(let message): receive(message, at: now, into: &effects)
    case .end: leave(at: now, into: &effects)
    case .tick: tick(at: now, into: &effects)
    case .blocks(let pull, let bytes): receive(pull, bytes, at: now, into: &effects)
    case .sourceLost(let job, .store) where fetch?.job == job: fetch?.lost()
    default:
      guard run != nil else {
        refuse(event, into: &effects)
        break
      }
      run?.handle(event, at: now, into: &effects)
    }
    guard run != nil else { return effects }
    run?.proceed(at: now, into: &effects)
    if run?.takeUrgency() == true { beat(at: now, into: &effects) }
    return effects
  }

  /// Without a job only who waits for an answer gets one: the asker turns to another source.
  private func refuse(_ event: Event, into effects: inout [Effect]) {
    switch event {
    case .pull(let pull, let link): effects.append(.answer(.no, pull, to: link))
    case .copy(let header, let link):
      effects.append(.receipt(header.receipt(.unavailable), to: link))
    case .statePull(let pull, let link):
      effects.append(.stateAnswer(pull.answer(next: 0, .notFound), to: link))
    default: break
    }
  }

  private mutating func receive(
    _ message: CoordinatorMessage, at now: Duration, into effects: inout [Effect]
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
    _ message: CoordinatorMessage, at now: Duration, into effects: inout [Effect]
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
    _ assignment: Assignment, at now: Duration, into effects: inout [Effect]
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
    _ assignment: Assignment, blocks: BlockMap?, into effects: inout [Effect]
  ) {
    var run = WorkerRun(
      assignment: assignment, blocks: blocks, worker: hello.worker, windowBytes: windowBytes,
      outboxTiles: outboxTiles, hasSlots: hasSlots, defect: defect)
    effects.append(.begin(assignment, run.plan))
    run.hostAssigned(into: &effects)
    self.run = run
    tellAssigned(assignment, into: &effects)
  }

  private mutating func tellAssigned(_ assignment: Assignment, into effects: inout [Effect]) {
    let hosted = run?.ranks.map(\.vrank.description).joined(separator: ", ") ?? ""
    effects.append(
      .observe(
        Observation(
          .assigned, job: assignment.job, worker: hello.name,
          detail: hosted.isEmpty ? "no virtual ranks" : "virtual ranks \(hosted)")))
    run?.tellSoon()
  }

  mutating func release(isOver: Bool = false, into effects: inout [Effect]) {
    guard let job = run?.job ?? fetch?.job else { return }
    // The last word about the job goes out while its counters are still there.
    effects.append(.beat(heartbeat(isLast: true)))
    (run, fetch) = (nil, nil)
    effects.append(.release(job, isOver: isOver))
    effects.append(.observe(Observation(.released, job: job, worker: hello.name)))
  }

  private mutating func tick(at now: Duration, into effects: inout [Effect]) {
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

  private mutating func beat(at now: Duration, into effects: inout [Effect]) {
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
  private mutating func leave(at now: Duration, into effects: inout [Effect]) {
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
  private mutating func sayGoodbye(into effects: inout [Effect]) {
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
