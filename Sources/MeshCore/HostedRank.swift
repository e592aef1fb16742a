internal import AttentionMasks

/// A virtual rank that a worker hosts under one epoch.
///
///     restoring ─► folding ─last tile─► result on its way ─► done
///         │           │
///         └───────────┴── hand-over: stopped at a boundary and copied, until another has it
package struct HostedRank: Sendable {
  package let vrank: VRank
  package let epoch: Epoch
  /// What it does, step by step.
  let steps: RankSteps
  /// Steps above `next` whose tiles to have at hand.
  let ahead: Int
  /// The next step: what all before it do is in its state.
  package internal(set) var next = 0
  /// The next step to give to the compute threads.
  var dispatched = 0
  /// What it published and others haven't passed, and who those are.
  var outbox = Outbox()
  var readers: [Reader] = []
  /// Its result is final, and it is run again for what it published.
  var isRevived = false
  /// Query tiles that haven't arrived and been packed.
  var missingQueries: Int
  package internal(set) var duty: Assignment.Duty
  /// In whose memory its copies are kept.
  var holder: WorkerID?
  /// The search for its state; nil once it folds.
  var restoring: Restoring?
  /// What the search found; nil for a rank that began at its first step.
  var restored: WorkerMessage.Restored?
  var copies = CopyRecord()
  var pace = CopyPace()
  var result: ResultProgress?

  var identity: (vrank: VRank, epoch: Epoch) { (vrank, epoch) }

  var isFolding: Bool { restoring == nil && (duty != .serve || isRevived) }

  /// Whether it asks for tiles: it doesn't when it has stopped to be handed over.
  var goesOn: Bool { isFolding && duty != .handOver }

  /// How many steps it has to do.
  package var needed: Int { isRevived ? steps.endOfKept : steps.count }

  /// The steps whose tiles to have at hand.
  var window: Range<Int> {
    guard isFolding, next < needed else { return next..<next }
    // Stopped, it still needs what the compute threads are folding.
    if duty == .handOver { return next..<dispatched }
    return next..<min(next + ahead, needed)
  }

  func hasInWindow(_ tile: TileID) -> Bool { steps.read(tile, in: window) }

  /// Whether a step that is still to be done reads a tile.
  ///
  /// In this phase: until a later one many others may come and go.
  func isStillToRead(_ tile: TileID) -> Bool {
    guard isFolding else { return false }
    let end = min(needed, max(steps.endOfPhase(next), window.upperBound))
    return next < end && steps.read(tile, in: next..<end)
  }

  /// Nothing of it would be lost with this worker.
  var isDone: Bool { duty == .serve || result?.isFinal == true }

  /// Stopped for a hand-over, with all that was folded in a copy that outlives this worker.
  var isHandedOver: Bool {
    guard duty == .handOver, restoring == nil, result == nil, dispatched == next else {
      return false
    }
    if next == 0 || copies.isUnprotected || copies.copied == next { return true }
    // A checkpoint is the second best: the next host may not reach this worker's disk.
    return (holder == nil || copies.isGivenUp || copies.isUnreachable) && copies.durable == next
  }

  var progress: WorkerMessage.Progress {
    WorkerMessage.Progress(
      vrank: vrank, epoch: epoch, next: isRevived ? 0 : next, needed: steps.count,
      copied: copies.copied,
      durable: copies.durable, restored: restored, isHandedOver: isHandedOver)
  }

  /// Where a finished rank is with handing in its result.
  struct ResultProgress: Sendable {
    /// Messages, not counting the end.
    let count: Int
    var isReady = false
    var sent = 0
    var acknowledged = 0
    var isEndSent = false
    var isFinal = false
    var deadline: Duration?
    /// When the last message was acknowledged.
    var heardAt: Duration?
    /// Times in a row that nothing was acknowledged in time.
    var repeats = 0
    var refusals = 0
  }

  /// The search for a rank's state: memories first, then checkpoints.
  struct Restoring: Sendable {
    /// Memories that may have a copy, the best first.
    var sources: [WorkerID]
    var hasTriedSlots = false
    /// Published tiles that came with the copy that is being pulled.
    var tiles: [TileID] = []
    /// Times that the last source was silent.
    var silences = 0
    var stage = Stage.idle

    /// Whether the source that is asked now is the last one, and worth asking again.
    var isLastChance: Bool { sources.isEmpty && silences < Limits.copyRepeatsMaximum }
  }

  /// A copy on its way here.
  struct Pulling: Sendable {
    /// What the holder said that it has: steps, and messages; nil until it has answered.
    var copy: (next: Int, count: Int)?
    var received = 0
    var asked: Int
    var deadline: Duration
  }

  /// Where the search is.
  enum Stage: Sendable {
    case idle
    /// A peer was asked.
    case pulling(WorkerID, Pulling)
    /// The shell reads a copy in memory, or a checkpoint, which is waited for until the deadline.
    case loading(deadline: Duration?)
  }
}

/// What is copied of a rank, and where.
struct CopyRecord: Sendable {
  /// `next` of the whole copy in the holder's memory; 0 for none.
  var copied = 0
  /// `next` of what was last written to each checkpoint slot; 0 for nothing.
  var slots = [0, 0]
  /// `next` of the last snapshot.
  var lastSnapshot = 0
  /// Where the last snapshot was due: those that come late don't make the next ones late.
  var lastDue = 0
  /// The copy has to be made anew without waiting for the interval: its holder changed.
  var isDue = false
  /// Somebody keeps what these steps read until a copy has passed them: the fewest that anybody waits for,
  /// who waits for more asks again.
  private var dueSteps = 0
  /// There is no connection to the holder.
  var isUnreachable = false
  /// The holder took nothing of the last copy.
  var isGivenUp = false
  /// Times in a row that the connection to the holder broke before it had a copy.
  var breaks = 0
  /// Nothing is sent to the holder before this.
  var holderRetryAt: Duration?
  /// The disk failed: not before this.
  var slotRetryAt: Duration?
  /// The job asked for no protection.
  var isUnprotected = false

  /// A snapshot is taken at a tile.
  mutating func take(at next: Int, interval: Int) {
    lastSnapshot = next
    // One made anew for another holder counts, but doesn't wait for its time.
    lastDue = next - lastDue < interval ? next : max(lastDue + interval, next - interval / 2)
  }

  var durable: Int { max(slots[0], slots[1]) }
  /// Whether a copy is waited for that can be made after `next` steps.
  func isAwaited(after next: Int) -> Bool { dueSteps <= next && max(copied, durable) < dueSteps }
  mutating func isDue(at steps: Int) {
    guard steps > max(copied, durable) else { return }
    dueSteps = dueSteps > max(copied, durable) ? min(dueSteps, steps) : steps
  }
  /// The slot to overwrite: the older one.
  var olderSlot: Int { slots[1] < slots[0] ? 1 : 0 }

  /// A holder that can't be reached breaks every connection at once: without a pause each of them
  /// would cost a snapshot. The first break alone says nothing.
  mutating func holderBroke(at now: Duration) {
    breaks += 1
    guard breaks > 1 else { return }
    let doublings = min(breaks - 2, 16)
    holderRetryAt =
      now
      + min(Limits.holderRetryInterval * (1 << doublings), Limits.holderRetryIntervalMaximum)
    isGivenUp = breaks > Limits.copyRepeatsMaximum
  }

  mutating func holderAnswered() {
    breaks = 0
    holderRetryAt = nil
    isGivenUp = false
  }
}

/// How often a rank is copied: the smallest number of tiles whose copy costs no more than
/// `Limits.copyCostMaximum` of the time it takes to fold them, as measured, and never so many that
/// there would be fewer than `Limits.copiesOfARankMinimum` copies.
struct CopyPace: Sendable {
  /// Time of compute threads for one tile, and of all threads for one copy: running means.
  private(set) var tile: Duration?
  private(set) var copy: Duration?

  mutating func folded(_ tiles: Int, _ cost: Duration) {
    guard tiles > 0 else { return }
    tile = mean(tile, cost / tiles)
  }

  mutating func copied(_ cost: Duration) { copy = mean(copy, cost) }

  private func mean(_ old: Duration?, _ new: Duration) -> Duration {
    old.map { ($0 * 3 + new) / 4 } ?? new
  }

  /// Tiles from one copy to the next of a rank that folds `needed`.
  func interval(needed: Int) -> Int {
    let most = max(1, needed / Limits.copiesOfARankMinimum)
    // The first copy comes early, and says what one costs.
    guard let tile, let copy else { return max(1, most / 2) }
    guard tile > .zero else { return most }
    let least = (copy / tile) / Limits.copyCostMaximum
    return least < Double(most) ? max(1, Int(least.rounded(.up))) : most
  }
}
