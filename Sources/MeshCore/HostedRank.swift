internal import AttentionMasks

/// A virtual rank that a worker hosts under one epoch.
///
///     restoring ─► folding ─last tile─► result on its way ─► done
///         │           │
///         └───────────┴── hand-over: stopped at a boundary and copied, until another has it
package struct HostedRank: Sendable {
  package let vrank: VRank
  package let epoch: Epoch
  package internal(set) var duty: Assignment.Duty
  /// What it does, step by step.
  let steps: RankSteps
  /// Steps above `next` whose tiles to have at hand.
  let ahead: Int
  /// The next step: what all before it do is in its state.
  package private(set) var next = 0
  /// The next step to give to the compute threads.
  private(set) var dispatched = 0
  /// Query tiles that haven't arrived.
  private(set) var missingQueries = 0
  /// What it published and others haven't passed, and who those are.
  var outbox = Outbox()
  let readers: [Reader]
  /// Its result is final, and it is run again for what it published.
  private(set) var isRevived = false
  /// The search for its state; nil once it folds.
  var restoring: StateSearch?
  /// What the search found; nil for a rank that began at its first step.
  private var restored: WorkerMessage.Restored?
  var copies: CopyRecord
  private(set) var pace = CopyPace()
  /// Its result on its way; nil while there are steps to do.
  var result: ResultDelivery?

  init(
    vrank: VRank, epoch: Epoch, duty: Assignment.Duty, _ plan: Plan, ahead: Int,
    copies: CopyRecord
  ) {
    self.vrank = vrank
    self.epoch = epoch
    self.duty = duty
    steps = plan.steps(of: vrank)
    readers = plan.readers(of: vrank)
    self.ahead = ahead
    self.copies = copies
    if hasSteps { missingQueries = plan.queryTileCount(of: vrank) }
  }

  /// Whether it has anything to do when it is hosted.
  var hasSteps: Bool { !steps.isEmpty && duty != .serve }

  var identity: (vrank: VRank, epoch: Epoch) { (vrank, epoch) }

  /// Whether its rows are here, and no result that is on its way has their memory.
  var hasRows: Bool { isFolding && missingQueries == 0 && (result == nil || isRevived) }

  var isFolding: Bool { restoring == nil && (duty != .serve || isRevived) }

  /// Whether it asks for tiles: it doesn't when it has stopped to be handed over.
  var goesOn: Bool { isFolding && duty != .handOver }

  /// How many steps it has to do.
  package var needed: Int { isRevived ? steps.endOfRevival : steps.count }

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

  /// Whether all is done but the result.
  var hasFolded: Bool {
    isFolding && !isRevived && result == nil && next == needed && missingQueries == 0
  }

  /// Goes on from a state that was found.
  ///
  /// - Parameter isHeld: whether its holder has that state.
  mutating func begin(at next: Int, with state: WorkerMessage.Restored, isHeld: Bool) {
    restoring = nil
    restored = state
    self.next = next
    dispatched = next
    copies.begin(at: next, isHeld: isHeld)
  }

  /// One more of its query tiles is here.
  mutating func rowsArrive() { missingQueries -= 1 }

  /// The compute threads are given steps.
  mutating func dispatch(to step: Int) { dispatched = step }

  /// The compute threads have done the next steps.
  mutating func folded(_ steps: Range<Int>, cost: Duration) {
    next = steps.upperBound
    pace.folded(steps.count, cost)
  }

  mutating func copied(cost: Duration) { pace.copied(cost) }

  /// It has published all that it was revived for.
  mutating func endRevival() {
    isRevived = false
    next = steps.count
    dispatched = next
  }

  /// Begins again, for what it published.
  mutating func revive(rows: Int) {
    isRevived = true
    next = 0
    dispatched = 0
    missingQueries = rows
  }

  /// The steps that the compute threads may do now: what they read is packed, and there is room for what
  /// they publish.
  func ready(_ cache: TileCache, _ view: JobView, outboxTiles: Int) -> Range<Int> {
    let start = dispatched
    guard goesOn, missingQueries == 0, start < needed else { return start..<start }
    let publishes = view.plan.publishes
    var room = publishes ? outboxRoom(of: outboxTiles) : .max
    var end = start
    let most = min(
      needed, start + Limits.tilesPerFold,
      view.assignment.isProtected ? copyBoundary : needed)
    while end < most, steps.reads(end).allSatisfy({ cache.isPacked($0) }) {
      if publishes, steps.publishes(end)?.tensor == .partial {
        guard room > 0 else { break }
        room -= 1
      }
      end += 1
    }
    return start..<end
  }

  /// Further tiles that it may publish before readers have passed some.
  private func outboxRoom(of outboxTiles: Int) -> Int {
    guard !isRevived else { return .max }
    let pending = (next..<dispatched).count { steps.publishes($0)?.tensor == .partial }
    return outboxTiles - outbox.tiles.count - pending
  }

  /// Folds don't go beyond the step at which the next copy is due, or copies would be rarer.
  private var copyBoundary: Int {
    let due = copies.lastDue + pace.interval(needed: needed)
    return due > dispatched ? due : needed
  }

  /// Steps given to the compute threads since its last copy was due.
  var overdue: Int { dispatched - copies.lastDue }

  /// Tiles that it published in its first steps and that are still kept for others, by step.
  func publishedTiles(before next: Int) -> [Outbox.Published] {
    let kept = (0..<min(next, steps.endOfKept)).compactMap { step in
      steps.publishes(step).map { Outbox.Published(step: step, tile: $0) }
    }.filter { $0.tile.tensor != .partial }
    return kept + outbox.tiles.filter { $0.step < next }
  }

  /// Nothing of it would be lost with this worker.
  var isDone: Bool { duty == .serve || result?.isFinal == true }

  /// Stopped for a hand-over, with all that was folded in a copy that outlives this worker.
  var isHandedOver: Bool {
    duty == .handOver && restoring == nil && result == nil && dispatched == next
      && copies.isHandedOver(at: next)
  }

  var progress: WorkerMessage.Progress {
    WorkerMessage.Progress(
      vrank: vrank, epoch: epoch, next: isRevived ? 0 : next, needed: steps.count,
      copied: copies.copied,
      durable: copies.durable, restored: restored, isHandedOver: isHandedOver)
  }
}
