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
    /// `cost` is the time of compute threads that it took.
    case folded(JobID, VRank, Epoch, next: Int, cost: Duration)
    /// The result of a virtual rank is normalised and digested.
    case finished(JobID, VRank, Epoch)
    case receipt(ResultReceipt)

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
    case restored(JobID, VRank, Epoch, WorkerMessage.Restored?)

    /// The process was asked to end.
    case end
    case tick
  }

  /// What the shell does, in order.
  package enum Effect: Sendable {
    case send(WorkerMessage)
    /// A heartbeat: the shell fills in its counters.
    case beat(WorkerMessage.Heartbeat)
    /// A job begins.
    case begin(Assignment)
    /// The table of the job changed: other peers, other hosts.
    case adopt(Assignment)
    /// Make room for a virtual rank.
    case host(VRank, Epoch)
    case pull(Pull, from: Source)
    case answer(PullAnswer, Pull, to: Link)
    /// Send one part that is kept.
    case serve(TileID, part: Int, to: Link)
    /// Bring a resident tile into the layout that the kernel reads: K/V of all heads, or the rows of
    /// a query tile, which need no frames afterwards.
    case pack(TileID)
    case unpack(TileID)
    /// The frames of a tile are no longer wanted.
    case forget(TileID)
    /// Fold K/V tiles, ascending, into every row of a virtual rank. Folds, snapshots and results are
    /// done in the order in which they are asked for.
    case fold(VRank, Epoch, tiles: Range<Int>)
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
    /// Write messages `first...` of the snapshot to a checkpoint slot, 0 or 1, and sync it.
    case persist(VRank, Epoch, slot: Int, next: Int, first: Int)
    case dropSnapshot(VRank)

    /// Keep the message of a copy that has just arrived.
    case keepCopy(CopyHeader)
    /// Messages `first...` that were kept replace those of the copy before: it is whole.
    case completeCopy(VRank, first: Int)
    /// What was kept of a copy that won't become whole.
    case dropPartialCopy(VRank)
    case dropCopy(VRank)
    case receipt(CopyReceipt, to: Link)
    case stateAnswer(StateAnswer, to: Link)
    case serveCopy(CopyHeader, to: Link)

    /// Load the state from the copy in this worker's memory.
    case restoreHeld(VRank, Epoch)
    /// Load the state from the best checkpoint.
    case restoreSlot(VRank, Epoch)
    case pullState(StatePull, from: Source)
    /// Load the message of a copy that has just arrived into the rank's state.
    case loadState(CopyHeader)

    /// Drop everything of the job.
    case release(JobID)
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

  package let hello: WorkerMessage.Hello
  package private(set) var run: WorkerRun?
  private var term: UInt64 = 0
  private var isWelcome = false
  private var lastHeard: Duration?
  private var lastHello: Duration?
  private var lastBeat: Duration?

  package init(hello: WorkerMessage.Hello) { self.hello = hello }

  package mutating func handle(_ event: Event, at now: Duration) -> [Effect] {
    var effects: [Effect] = []
    switch event {
    case .coordinator(let message): receive(message, at: now, into: &effects)
    case .tick: tick(at: now, into: &effects)
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

  /// Without a job the only thing that deserves an answer is a pull: the asker turns to the owner.
  private func refuse(_ event: Event, into effects: inout [Effect]) {
    if case .pull(let pull, let link) = event { effects.append(.answer(.no, pull, to: link)) }
  }

  private mutating func receive(
    _ message: CoordinatorMessage, at now: Duration, into effects: inout [Effect]
  ) {
    switch message {
    case .welcome(let term, _):
      guard term >= self.term else { return }
      lastHeard = now
      self.term = term
      isWelcome = true
      beat(at: now, into: &effects)
    case .refused(_, let reason):
      effects.append(.observe(Observation(.workerRefused, worker: hello.name, detail: reason)))
    case .beat(let term):
      guard term >= self.term else { return }
      lastHeard = now
    case .assign(let assignment, let term):
      guard term >= self.term else { return }
      lastHeard = now
      self.term = term
      begin(assignment, at: now, into: &effects)
    case .release(let job, let term):
      guard term >= self.term else { return }
      lastHeard = now
      if run?.job == job { release(into: &effects) }
    }
  }

  private mutating func begin(
    _ assignment: Assignment, at now: Duration, into effects: inout [Effect]
  ) {
    guard run?.job != assignment.job else { return }
    release(into: &effects)
    guard let next = WorkerRun(assignment: assignment, worker: hello.worker) else { return }
    run = next
    effects.append(.begin(assignment, hosted: next.ranks.map(\.vrank)))
    effects.append(
      .observe(
        Observation(
          .assigned, job: assignment.job, worker: hello.name,
          detail: "virtual ranks \(next.ranks.map(\.vrank.description).joined(separator: ", "))")))
  }

  private mutating func release(into effects: inout [Effect]) {
    guard let job = run?.job else { return }
    // The last word about the job goes out while its counters are still there.
    effects.append(.beat(job, term: term, run?.progress ?? [], isLast: true))
    run = nil
    effects.append(.release(job))
    effects.append(.observe(Observation(.released, job: job, worker: hello.name)))
  }

  private mutating func tick(at now: Duration, into effects: inout [Effect]) {
    if let heard = lastHeard, now - heard >= Limits.heartbeatTimeout { isWelcome = false }
    if isWelcome {
      if lastBeat.map({ now - $0 >= Limits.heartbeatInterval }) ?? true {
        beat(at: now, into: &effects)
      }
    } else if lastHello.map({ now - $0 >= .milliseconds(250) }) ?? true {
      lastHello = now
      effects.append(.send(.hello(hello)))
    }
    run?.expire(at: now, into: &effects)
  }

  private mutating func beat(at now: Duration, into effects: inout [Effect]) {
    guard isWelcome else { return }
    lastBeat = now
    effects.append(.beat(run?.job, term: term, run?.progress ?? [], isLast: false))
  }
}
