/// Copies this worker's ranks: a snapshot at a tile boundary, sent to a holder's memory and written to a
/// checkpoint slot while the compute threads go on. One rank at a time.
struct CopySender: Sendable {
  private var current: Snapshot?
  /// A write to a checkpoint slot that isn't waited for any more and hasn't ended. What it will have
  /// written counts as soon as it has; until then the disk is given no other one.
  private var lateWrite: LateWrite?

  private struct LateWrite: Hashable, Sendable {
    let vrank: VRank
    let epoch: Epoch
    let slot: Int
    let next: Int
  }

  /// Whether a rank is being copied.
  func isCopying(_ vrank: VRank) -> Bool { current?.vrank == vrank }

  /// Whether there is a disk that takes checkpoints.
  func hasDisk(_ view: JobView) -> Bool { view.hasSlots && lateWrite == nil }

  // MARK: When

  /// Takes the next snapshot that is due, and moves the one under way along.
  mutating func proceed(
    _ ranks: inout HostedRanks, _ view: JobView, at now: Duration, into effects: inout Effects
  ) {
    guard view.assignment.isProtected else { return }
    if current == nil, let index = dueRank(ranks, view, at: now) {
      take(&ranks[index], view, at: now, into: &effects)
    }
    guard current?.isTaken == true else { return }
    while let header = current?.nextMessage(view) {
      effects.append(.sendCopy(header.0, to: .peer(header.1)))
    }
  }

  /// The rank whose copy is most overdue.
  private func dueRank(_ ranks: HostedRanks, _ view: JobView, at now: Duration) -> Int? {
    let due = ranks.indices.filter { isDue(ranks[$0], view, at: now) }
    return due.max { ranks[$0].overdue < ranks[$1].overdue }
  }

  private func isDue(_ rank: HostedRank, _ view: JobView, at now: Duration) -> Bool {
    guard rank.isFolding, !rank.isRevived, rank.result == nil, rank.dispatched > 0 else {
      return false
    }
    let isSendable = rank.copies.maySend(at: now)
    guard isSendable || mayPersist(rank, view, at: now) else { return false }
    if rank.duty == .handOver { return rank.dispatched == rank.next && !rank.isHandedOver }
    let goesOn = rank.dispatched < rank.needed
    // Made anew for a holder that can't be reached now, it would be of no use.
    if rank.copies.isDue, isSendable || rank.copies.holder == nil, goesOn { return true }
    if rank.copies.isAwaited(after: rank.dispatched), view.defect != .copyByIntervalAlone {
      return true
    }
    // The first is due after half an interval, so the last is half of one before the end.
    return rank.overdue >= rank.pace.interval(needed: rank.needed)
      && rank.dispatched > rank.copies.lastSnapshot && goesOn
  }

  private func mayPersist(_ rank: HostedRank, _ view: JobView, at now: Duration) -> Bool {
    hasDisk(view) && rank.copies.mayPersist(rank.dispatched, at: now)
  }

  private mutating func take(
    _ rank: inout HostedRank, _ view: JobView, at now: Duration, into effects: inout Effects
  ) {
    let copies = rank.copies
    let holder = copies.maySend(at: now) ? copies.holder : nil
    // The disk is what is left when the holder is lost as well: of copies that a holder gets it gets
    // every other one, and all that are the last.
    let isOther = copies.durable > 0 && copies.durable == copies.lastSnapshot
    let isLast = holder == nil || copies.isGivenUp || rank.duty == .handOver
    let isWritten = mayPersist(rank, view, at: now) && (isLast || !isOther)
    let taken = Snapshot(
      of: rank, to: holder, slot: isWritten ? copies.olderSlot : nil, view.plan, at: now)
    current = taken
    rank.copies.take(
      at: rank.dispatched, interval: rank.pace.interval(needed: rank.needed),
      isForHolder: holder != nil)
    effects.append(
      .snapshot(rank.vrank, rank.epoch, next: rank.dispatched, first: taken.first))
  }

  /// The compute threads have made the snapshot.
  mutating func taken(
    of index: Int, next: Int, cost: Duration, _ ranks: inout HostedRanks, _ view: JobView,
    at now: Duration, into effects: inout Effects
  ) {
    let rank = ranks[index]
    guard var taken = current, taken.isOf(rank, next), !taken.isTaken else { return }
    taken.take(of: rank, cost: cost, view, at: now)
    current = taken
    if let slot = taken.slot {
      let first = view.plan.firstMessage(
        of: rank.vrank, changedSince: rank.copies.steps(inSlot: slot))
      effects.append(
        .persist(
          rank.vrank, rank.epoch, slot: slot, next: next, first: first,
          tiles: taken.tiles.map(\.tile)))
    }
    endIfDone(&ranks, into: &effects)
  }

  // MARK: To the holder

  mutating func receive(
    _ receipt: CopyReceipt, from source: Worker.Source, _ ranks: inout HostedRanks,
    at now: Duration, into effects: inout Effects
  ) {
    guard let taken = current, let index = ranks.index(of: receipt.vrank, receipt.epoch),
      taken.isOf(ranks[index], receipt.next), let holder = taken.push?.holder,
      source == .peer(holder)
    else { return }
    switch receipt.status {
    case .ok:
      guard current?.acknowledge(receipt.message, at: now) == true else { return }
      ranks[index].copies.arrived(at: taken.next)
      endPush(&ranks, into: &effects)
    case .dataLoss:
      resend(&ranks, at: now, into: &effects)
    case .notFound:
      // The holder lost what this copy builds upon: the next one is whole.
      loseCopy(of: index, &ranks, into: &effects)
    case .unavailable:
      break  // It hasn't got the table yet: the deadline brings the copy back to it.
    default:
      // Refused, and so would the next one be, made at once: another host may have the rank by now.
      ranks[index].copies.refused(at: now)
      endPush(&ranks, into: &effects)
    }
  }

  /// The holder's copy is of no use any more, or it is another holder now.
  mutating func loseCopy(
    of index: Int, _ ranks: inout HostedRanks, into effects: inout Effects
  ) {
    ranks[index].copies.lose(dispatched: ranks[index].dispatched)
    if isPushing(ranks[index].vrank) { endPush(&ranks, into: &effects) }
  }

  private func isPushing(_ vrank: VRank) -> Bool {
    current?.vrank == vrank && current?.push != nil
  }

  /// The connection to a peer broke.
  mutating func lose(
    _ source: Worker.Source, _ ranks: inout HostedRanks, at now: Duration,
    into effects: inout Effects
  ) {
    for index in ranks.indices where ranks[index].copies.holder.map({ .peer($0) == source }) == true
    {
      guard ranks[index].copies.copied > 0 || isPushing(ranks[index].vrank) else { continue }
      loseCopy(of: index, &ranks, into: &effects)
      ranks[index].copies.holderBroke(at: now)
    }
  }

  mutating func expire(
    _ ranks: inout HostedRanks, _ view: JobView, at now: Duration, into effects: inout Effects
  ) {
    if let taken = current, taken.isTaken, let push = taken.push, now >= push.deadline {
      resend(&ranks, at: now, into: &effects)
    }
    expireWrite(&ranks, view, at: now, into: &effects)
  }

  private mutating func resend(
    _ ranks: inout HostedRanks, at now: Duration, into effects: inout Effects
  ) {
    guard let taken = current, current?.resend(at: now) == false else { return }
    if let index = ranks.index(of: taken.vrank, taken.epoch) { ranks[index].copies.giveUp() }
    endPush(&ranks, into: &effects)
  }

  // MARK: To the disk

  mutating func persisted(
    _ vrank: VRank, _ epoch: Epoch, slot: Int, next: Int, cost: Duration,
    _ ranks: inout HostedRanks, into effects: inout Effects
  ) {
    let isLate = lateWrite == LateWrite(vrank: vrank, epoch: epoch, slot: slot, next: next)
    if isLate { lateWrite = nil }
    let isAwaited = current?.isAwaited(vrank, slot: slot, next: next) == true
    guard let index = ranks.index(of: vrank, epoch), isLate || isAwaited else { return }
    ranks[index].copies.wrote(slot: slot, next)
    effects.tellSoon()
    guard !isLate else { return }
    current?.written(cost: cost)
    endIfDone(&ranks, into: &effects)
  }

  mutating func persistFailed(
    _ vrank: VRank, _ epoch: Epoch, reason: String, _ ranks: inout HostedRanks,
    at now: Duration, into effects: inout Effects
  ) {
    if let late = lateWrite, late.vrank == vrank, late.epoch == epoch { lateWrite = nil }
    guard let index = ranks.index(of: vrank, epoch) else { return }
    ranks[index].copies.writeFailed(at: now)
    effects.alarm(vrank, "no checkpoint can be written: \(reason)", told: reason)
    guard current?.vrank == vrank else { return }
    current?.written(cost: .zero)
    endIfDone(&ranks, into: &effects)
  }

  /// The snapshot goes on its way to a peer's memory without a disk that blocks, and the next one can be taken.
  private mutating func expireWrite(
    _ ranks: inout HostedRanks, _ view: JobView, at now: Duration, into effects: inout Effects
  ) {
    guard let taken = current, let slot = taken.slot, let deadline = taken.slotDeadline,
      now >= deadline
    else { return }
    lateWrite = LateWrite(vrank: taken.vrank, epoch: taken.epoch, slot: slot, next: taken.next)
    current?.written(cost: .zero)
    effects.alarm(taken.vrank, "a checkpoint isn't written after", view.plan)
    endIfDone(&ranks, into: &effects)
  }

  // MARK: The end of a snapshot

  private mutating func endPush(_ ranks: inout HostedRanks, into effects: inout Effects) {
    current?.endPush()
    effects.tellSoon()
    endIfDone(&ranks, into: &effects)
  }

  private mutating func endIfDone(_ ranks: inout HostedRanks, into effects: inout Effects) {
    guard let taken = current, taken.isDone else { return }
    if let index = ranks.index(of: taken.vrank, taken.epoch) {
      ranks[index].copied(cost: taken.cost)
    }
    end(taken.vrank, into: &effects)
  }

  /// A rank's copy is of no use any more: it is another's, or its result is final.
  mutating func end(_ vrank: VRank, into effects: inout Effects) {
    guard isCopying(vrank) else { return }
    current = nil
    effects.append(.dropSnapshot(vrank))
  }
}
