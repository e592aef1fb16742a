/// A copy of a rank's state at a tile boundary, on its way to a holder's memory and to a checkpoint slot.
struct Snapshot: Sendable {
  let vrank: VRank
  let epoch: Epoch
  let next: Int
  /// The first message that was taken.
  private(set) var first = Int.max
  /// Whether the compute threads have made it.
  private(set) var isTaken = false
  /// Tiles that the rank published and that belong to the copy, by step.
  private(set) var tiles: [Outbox.Published] = []
  private var released = 0
  /// On its way to the holder.
  private(set) var push: Push?
  /// The slot it is being written to, and until when that is waited for.
  private(set) var slot: Int?
  private(set) var slotDeadline: Duration?
  private(set) var cost = Duration.zero

  /// Messages `first ..< sent` have been sent, `first ..< acknowledged` have arrived.
  struct Push: Sendable {
    let holder: WorkerID
    /// Steps of the copy that the holder has.
    let base: Int
    let first: Int
    /// Of the state.
    let states: Int
    /// Of tiles: those of the state come before.
    var parts: [TilePartID] = []
    var sent: Int
    var acknowledged: Int
    var deadline: Duration
    var attempts = 0

    var count: Int { states + parts.count }
  }

  /// - Parameters:
  ///   - holder: who gets it, if anybody does.
  ///   - slot: to be overwritten, if any is.
  init(of rank: HostedRank, to holder: WorkerID?, slot: Int?, _ plan: Plan, at now: Duration) {
    vrank = rank.vrank
    epoch = rank.epoch
    next = rank.dispatched
    self.slot = slot
    if let holder {
      let base = rank.copies.copied
      first = plan.firstMessage(of: vrank, changedSince: base)
      push = Push(
        holder: holder, base: base, first: first, states: plan.messageCount(of: vrank),
        sent: first, acknowledged: first, deadline: now)
    }
    if let slot {
      let old = rank.copies.steps(inSlot: slot)
      first = min(first, plan.firstMessage(of: vrank, changedSince: old))
    }
  }

  /// Whether it is that of a rank after some steps.
  func isOf(_ rank: HostedRank, _ next: Int) -> Bool {
    (vrank, epoch, self.next) == (rank.vrank, rank.epoch, next)
  }

  /// The compute threads have made it: what the rank published by then goes with it.
  mutating func take(of rank: HostedRank, cost: Duration, _ view: JobView, at now: Duration) {
    isTaken = true
    self.cost += cost
    if view.plan.publishes { tiles = rank.publishedTiles(before: next) }
    released = rank.outbox.released(by: next)
    if let base = push?.base, view.defect != .copyWithoutTiles {
      push?.parts = view.plan.parts(of: tiles.filter { $0.step >= base }.map(\.tile))
    }
    push?.deadline = now + Limits.copyTimeout
    if slot != nil { slotDeadline = now + view.plan.slotPatience(of: vrank) }
  }

  /// The next message to send, and to whom, if there is one and the holder has acknowledged enough.
  mutating func nextMessage(_ view: JobView) -> (CopyHeader, WorkerID)? {
    guard let push, push.sent < push.count,
      push.sent - push.acknowledged < Limits.copyMessagesOutstanding
    else { return nil }
    let part = push.sent < push.states ? nil : push.parts[push.sent - push.states]
    let header = CopyHeader(
      job: view.job, planTag: view.planTag, vrank: vrank, epoch: epoch, next: next,
      first: push.first, message: push.sent, count: push.count, base: push.base,
      released: released, tile: part?.tile, part: part?.part ?? 0)
    self.push?.sent += 1
    return (header, push.holder)
  }

  /// The holder has a message, and all before it.
  ///
  /// - Returns: whether it has all of them.
  mutating func acknowledge(_ message: Int, at now: Duration) -> Bool {
    guard var push, (push.acknowledged..<push.sent).contains(message) else { return false }
    push.acknowledged = message + 1
    push.attempts = 0
    push.deadline = now + Limits.copyTimeout
    self.push = push
    return push.acknowledged == push.count
  }

  /// Sends again what wasn't acknowledged; after a second time without an answer all of the copy: the
  /// holder may have dropped what it had of it, when for a while it wasn't the holder.
  ///
  /// - Returns: false if the holder takes nothing and is given up for this copy.
  mutating func resend(at now: Duration) -> Bool {
    guard var push else { return true }
    push.attempts += 1
    guard push.attempts < Limits.refusalsMaximum else { return false }
    if push.attempts > 1 { push.acknowledged = push.first }
    push.sent = push.acknowledged
    push.deadline = now + Limits.copyTimeout
    self.push = push
    return true
  }

  mutating func endPush() { push = nil }

  func isAwaited(_ vrank: VRank, slot: Int, next: Int) -> Bool {
    self.vrank == vrank && self.slot == slot && self.next == next
  }

  /// The disk has it, or isn't waited for.
  mutating func written(cost: Duration) {
    self.cost += cost
    slot = nil
  }

  /// Whether nothing of it is on its way any more.
  var isDone: Bool { isTaken && push == nil && slot == nil }
}
