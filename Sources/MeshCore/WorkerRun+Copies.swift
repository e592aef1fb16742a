/// Copies of this worker's ranks: a snapshot at a tile boundary, sent to a holder's memory and
/// written to a checkpoint slot while the compute threads go on.
struct Snapshot: Sendable {
  let vrank: VRank
  let epoch: Epoch
  let next: Int
  /// The first message that was taken.
  let first: Int
  /// Whether the compute threads have made it.
  var isTaken = false
  /// Tiles that the rank published and that belong to the copy, by step.
  var tiles: [Outbox.Published] = []
  var released = 0
  /// On its way to the holder.
  var push: Push?
  /// The slot it is being written to, and until when that is waited for.
  var slot: Int?
  var slotDeadline: Duration?
  var cost = Duration.zero

  /// Messages `first ..< sent` have been sent, `first ..< acknowledged` have arrived.
  struct Push: Sendable {
    let holder: WorkerID
    /// Steps of the copy that the holder has.
    let base: Int
    let first: Int
    /// Of tiles: those of the state come before.
    var parts: [TilePartID] = []
    var sent: Int
    var acknowledged: Int
    var deadline: Duration
    var attempts = 0
  }
}

/// One part of a tile.
struct TilePartID: Hashable, Sendable {
  let tile: TileID
  let part: Int
}

extension Plan {
  /// The parts of tiles, in order.
  func parts(of tiles: [TileID]) -> [TilePartID] {
    tiles.flatMap { tile in
      (0..<partCount(tile.tensor)).map { TilePartID(tile: tile, part: $0) }
    }
  }
}

extension WorkerRun {
  /// Takes the next snapshot that is due, and moves the one under way along.
  mutating func copyStates(at now: Duration, into effects: inout [Worker.Effect]) {
    guard assignment.isProtected else { return }
    if snapshot == nil, let index = dueRank(at: now) {
      takeSnapshot(of: index, at: now, into: &effects)
    }
    sendCopies(at: now, into: &effects)
  }

  /// The rank whose copy is most overdue.
  private func dueRank(at now: Duration) -> Int? {
    let due = ranks.indices.filter { isDue(ranks[$0], at: now) }
    return due.max { overdue(ranks[$0]) < overdue(ranks[$1]) }
  }

  private func overdue(_ rank: HostedRank) -> Int { rank.dispatched - rank.copies.lastDue }

  private func isDue(_ rank: HostedRank, at now: Duration) -> Bool {
    guard rank.isFolding, !rank.isRevived, rank.result == nil, rank.dispatched > 0 else {
      return false
    }
    let isSendable = maySend(rank, at: now)
    guard isSendable || mayPersist(rank, at: now) else { return false }
    if rank.duty == .handOver {
      return rank.dispatched == rank.next && !rank.isHandedOver
    }
    // Made anew for a holder that can't be reached now, it would be of no use.
    if rank.copies.isDue, isSendable || rank.holder == nil, rank.dispatched < rank.needed {
      return true
    }
    if rank.copies.isAwaited(after: rank.dispatched), defect != .copyByIntervalAlone { return true }
    let interval = rank.pace.interval(needed: rank.needed)
    // The first is due after half an interval, so the last is half of one before the end.
    return overdue(rank) >= interval && rank.dispatched > rank.copies.lastSnapshot
      && rank.dispatched < rank.needed
  }

  private func maySend(_ rank: HostedRank, at now: Duration) -> Bool {
    rank.holder != nil && !rank.copies.isUnreachable
      && rank.copies.holderRetryAt.map { now >= $0 } ?? true
  }

  /// A copy for another holder may be due before anything more was folded: the disk has that already.
  private func mayPersist(_ rank: HostedRank, at now: Duration) -> Bool {
    hasSlots && lateWrite == nil && rank.dispatched > rank.copies.durable
      && rank.copies.slotRetryAt.map { now >= $0 } ?? true
  }

  private mutating func takeSnapshot(
    of index: Int, at now: Duration, into effects: inout [Worker.Effect]
  ) {
    let rank = ranks[index]
    var first = Int.max
    var push: Snapshot.Push?
    var slot: Int?
    if let holder = rank.holder, maySend(rank, at: now) {
      let changed = plan.firstMessage(of: rank.vrank, changedSince: rank.copies.copied)
      push = Snapshot.Push(
        holder: holder, base: rank.copies.copied, first: changed, sent: changed,
        acknowledged: changed, deadline: now)
      first = changed
    }
    // The disk is what is left when the holder is lost as well: of copies that a holder gets it gets
    // every other one, and all that are the last.
    let isOther = rank.copies.durable > 0 && rank.copies.durable == rank.copies.lastSnapshot
    let isLast = push == nil || rank.copies.isGivenUp || rank.duty == .handOver
    if mayPersist(rank, at: now), isLast || !isOther {
      slot = rank.copies.olderSlot
      first = min(first, firstMessage(rank, slot: rank.copies.olderSlot))
    }
    snapshot = Snapshot(
      vrank: rank.vrank, epoch: rank.epoch, next: rank.dispatched, first: first, push: push,
      slot: slot)
    if push != nil || rank.holder == nil { ranks[index].copies.isDue = false }
    ranks[index].copies.take(
      at: rank.dispatched, interval: rank.pace.interval(needed: rank.needed))
    effects.append(.snapshot(rank.vrank, rank.epoch, next: rank.dispatched, first: first))
  }

  private func firstMessage(_ rank: HostedRank, slot: Int) -> Int {
    plan.firstMessage(of: rank.vrank, changedSince: rank.copies.slots[slot])
  }

  mutating func snapshotTaken(
    _ vrank: VRank, _ epoch: Epoch, next: Int, cost: Duration, at now: Duration,
    into effects: inout [Worker.Effect]
  ) {
    guard var taken = snapshot, taken.vrank == vrank, taken.epoch == epoch, taken.next == next,
      !taken.isTaken, let index = rank(of: vrank, epoch)
    else { return }
    taken.isTaken = true
    taken.cost += cost
    taken.tiles = publishedTiles(of: ranks[index], before: next)
    taken.released = ranks[index].outbox.released(by: next)
    if let base = taken.push?.base {
      let added = taken.tiles.filter { $0.step >= base }
      if defect != .copyWithoutTiles { taken.push?.parts = plan.parts(of: added.map(\.tile)) }
    }
    taken.push?.deadline = now + Limits.copyTimeout
    if taken.slot != nil { taken.slotDeadline = now + slotPatience(of: vrank) }
    snapshot = taken
    if let slot = taken.slot {
      effects.append(
        .persist(
          vrank, epoch, slot: slot, next: next, first: firstMessage(ranks[index], slot: slot),
          tiles: taken.tiles.map(\.tile)))
    }
    endSnapshotIfDone(into: &effects)
  }

  private mutating func sendCopies(at now: Duration, into effects: inout [Worker.Effect]) {
    guard let taken = snapshot, taken.isTaken, var push = taken.push else { return }
    let count = copyMessages(of: taken, push)
    while push.sent < count, push.sent - push.acknowledged < Limits.copyMessagesOutstanding {
      effects.append(
        .sendCopy(header(push.sent, of: taken, push, count: count), to: .peer(push.holder)))
      push.sent += 1
    }
    snapshot?.push = push
  }

  mutating func receive(
    _ receipt: CopyReceipt, from source: Worker.Source, at now: Duration,
    into effects: inout [Worker.Effect]
  ) {
    guard let taken = snapshot, taken.vrank == receipt.vrank, taken.epoch == receipt.epoch,
      taken.next == receipt.next, var push = taken.push, source == .peer(push.holder),
      let index = rank(of: receipt.vrank, receipt.epoch)
    else { return }
    switch receipt.status {
    case .ok:
      guard (push.acknowledged..<push.sent).contains(receipt.message) else { return }
      push.acknowledged = receipt.message + 1
      push.attempts = 0
      push.deadline = now + Limits.copyTimeout
      snapshot?.push = push
      guard push.acknowledged == copyMessages(of: taken, push) else { return }
      ranks[index].copies.copied = taken.next
      ranks[index].copies.holderAnswered()
      endPush(into: &effects)
    case .dataLoss:
      resend(at: now, into: &effects)
    case .notFound:
      // The holder lost what this copy builds upon: the next one is whole.
      loseCopy(index, into: &effects)
    case .unavailable:
      break  // It hasn't got the table yet: the deadline brings the copy back to it.
    default:
      // Refused, and so would the next one be, made at once: another host may have the rank by now.
      ranks[index].copies.holderRetryAt = now + Limits.copyTimeout
      endPush(into: &effects)
    }
  }

  /// Tiles that a rank published in its first steps and that are still kept for others, by step.
  private func publishedTiles(of rank: HostedRank, before next: Int) -> [Outbox.Published] {
    guard plan.publishes else { return [] }
    let kept = (0..<min(next, rank.steps.endOfKept)).compactMap { step in
      rank.steps.publishes(step).map { Outbox.Published(step: step, tile: $0) }
    }.filter { $0.tile.tensor != .partial }
    return kept + rank.outbox.tiles.filter { $0.step < next }
  }

  private func copyMessages(of taken: Snapshot, _ push: Snapshot.Push) -> Int {
    plan.messageCount(of: taken.vrank) + push.parts.count
  }

  private func header(
    _ message: Int, of taken: Snapshot, _ push: Snapshot.Push, count: Int
  ) -> CopyHeader {
    let place = message - plan.messageCount(of: taken.vrank)
    let part = place >= 0 ? push.parts[place] : nil
    return CopyHeader(
      job: job, planTag: planTag, vrank: taken.vrank, epoch: taken.epoch, next: taken.next,
      first: push.first, message: message, count: count, base: push.base,
      released: taken.released, tile: part?.tile, part: part?.part ?? 0)
  }

  /// The holder's copy is of no use any more, or it is another holder now.
  mutating func loseCopy(_ index: Int, into effects: inout [Worker.Effect]) {
    ranks[index].copies.copied = 0
    ranks[index].copies.isGivenUp = false
    ranks[index].copies.isDue = ranks[index].dispatched > 0
    if snapshot?.vrank == ranks[index].vrank, snapshot?.push != nil { endPush(into: &effects) }
  }

  /// The connection to a peer broke.
  mutating func loseHolder(
    _ source: Worker.Source, at now: Duration, into effects: inout [Worker.Effect]
  ) {
    for index in ranks.indices where ranks[index].holder.map({ .peer($0) == source }) == true {
      let isOnItsWay = snapshot?.vrank == ranks[index].vrank && snapshot?.push != nil
      guard ranks[index].copies.copied > 0 || isOnItsWay else { continue }
      loseCopy(index, into: &effects)
      ranks[index].copies.holderBroke(at: now)
    }
  }

  mutating func expireCopies(at now: Duration, into effects: inout [Worker.Effect]) {
    guard let taken = snapshot, taken.isTaken, let push = taken.push, now >= push.deadline else {
      return
    }
    resend(at: now, into: &effects)
  }

  /// Sends again what wasn't acknowledged; after a second time without an answer all of the copy: the
  /// holder may have dropped what it had of it, when for a while it wasn't the holder. One that takes
  /// nothing is given up for this copy.
  private mutating func resend(at now: Duration, into effects: inout [Worker.Effect]) {
    guard let taken = snapshot, var push = taken.push else { return }
    push.attempts += 1
    guard push.attempts < Limits.refusalsMaximum else {
      if let index = rank(of: taken.vrank, taken.epoch) { ranks[index].copies.isGivenUp = true }
      return endPush(into: &effects)
    }
    if push.attempts > 1 { push.acknowledged = push.first }
    push.sent = push.acknowledged
    push.deadline = now + Limits.copyTimeout
    snapshot?.push = push
  }

  mutating func persisted(
    _ vrank: VRank, _ epoch: Epoch, slot: Int, next: Int, cost: Duration,
    into effects: inout [Worker.Effect]
  ) {
    let isLate = endLateWrite(vrank, epoch, slot: slot, next: next)
    let isAwaited = snapshot?.vrank == vrank && snapshot?.slot == slot && snapshot?.next == next
    guard let index = rank(of: vrank, epoch), isLate || isAwaited else { return }
    ranks[index].copies.slots[slot] = next
    ranks[index].copies.slotRetryAt = nil
    guard !isLate else { return tellSoon() }
    snapshot?.cost += cost
    snapshot?.slot = nil
    tellSoon()
    endSnapshotIfDone(into: &effects)
  }

  mutating func persistFailed(
    _ vrank: VRank, _ epoch: Epoch, reason: String, at now: Duration,
    into effects: inout [Worker.Effect]
  ) {
    if let late = lateWrite, late.vrank == vrank, late.epoch == epoch { lateWrite = nil }
    guard let index = rank(of: vrank, epoch) else { return }
    ranks[index].copies.slots = [0, 0]
    ranks[index].copies.slotRetryAt = now + Limits.slotRetryInterval
    effects.append(
      .send(.alarm(job, vrank, reason: "no checkpoint can be written: \(reason)")))
    effects.append(.observe(Observation(.checkpointAlarm, job: job, vrank: vrank, detail: reason)))
    guard snapshot?.vrank == vrank else { return }
    snapshot?.slot = nil
    endSnapshotIfDone(into: &effects)
  }

  private mutating func endPush(into effects: inout [Worker.Effect]) {
    snapshot?.push = nil
    tellSoon()
    endSnapshotIfDone(into: &effects)
  }

  mutating func endSnapshotIfDone(into effects: inout [Worker.Effect]) {
    guard let taken = snapshot, taken.isTaken, taken.push == nil, taken.slot == nil else { return }
    if let index = rank(of: taken.vrank, taken.epoch) { ranks[index].pace.copied(taken.cost) }
    endSnapshot(into: &effects)
  }

  mutating func endSnapshot(into effects: inout [Worker.Effect]) {
    guard let taken = snapshot else { return }
    snapshot = nil
    effects.append(.dropSnapshot(taken.vrank))
  }
}
