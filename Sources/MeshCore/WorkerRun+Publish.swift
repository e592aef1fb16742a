/// What hosted ranks publish: who waits for it gets it, and it is kept until its readers have passed it.
extension WorkerRun {
  /// Steps are done: what they published is there.
  mutating func publish(
    _ steps: Range<Int>, of index: Int, into effects: inout [Worker.Effect]
  ) {
    guard plan.publishes else { return }
    for step in steps {
      guard let tile = ranks[index].steps.publishes(step) else { continue }
      // Of a rank that is run again others have all that travelled.
      if ranks[index].isRevived, tile.tensor == .partial {
        effects.append(.forget(tile))
        continue
      }
      own(tile, step: step, of: index, into: &effects)
    }
  }

  /// A tile that a rank here published is here: now, or before it was restored.
  mutating func own(
    _ tile: TileID, step: Int, of index: Int, into effects: inout [Worker.Effect]
  ) {
    tiles[tile] = .resident
    foreign.removeAll { $0 == tile }
    replays.removeAll { $0.tile == tile && !$0.isUnderWay }
    for part in 0..<plan.partCount(tile.tensor) { forward(part, of: tile, into: &effects) }
    if tile.tensor == .partial { ranks[index].outbox.add(tile, step: step) }
  }

  /// Whether a tile stays here without any rank here reading it.
  func isKept(_ tile: TileID) -> Bool {
    guard tile.tensor == .partial else { return isOwn(tile) }
    return ranks.contains { $0.outbox.contains(tile) }
  }

  /// Further tiles that a rank may publish before readers have passed some.
  func outboxRoom(of rank: HostedRank) -> Int {
    guard plan.publishes, !rank.isRevived else { return .max }
    let pending = (rank.next..<rank.dispatched).count {
      rank.steps.publishes($0)?.tensor == .partial
    }
    return outboxTiles - rank.outbox.tiles.count - pending
  }

  /// Whether nobody needs what a rank published any more: then its result may be handed in, after which
  /// nothing of it is copied.
  func isPassed(_ rank: HostedRank) -> Bool {
    rank.readers.allSatisfy { hasPassed($0, what: rank) }
  }

  /// Whether a reader's copies have passed what it reads of a rank.
  private func hasPassed(_ reader: Reader, what rank: HostedRank) -> Bool {
    if assignment.hosts[reader.vrank.index].duty == .serve { return true }
    if let index = self.rank(of: reader.vrank) { return passedSteps(ranks[index]) >= reader.steps }
    return rank.outbox.hasPassed(reader)
  }

  /// How far a rank is in what would outlive this worker. Where nothing would, as far as it is: what is
  /// lost then is computed again from the beginning, whatever others keep.
  private func passedSteps(_ rank: HostedRank) -> Int {
    if rank.duty == .serve || rank.result?.isFinal == true { return .max }
    guard rank.restoring == nil else { return 0 }
    let hasHolder =
      rank.holder != nil && !rank.copies.isUnreachable && !rank.copies.isGivenUp
    let hasDisk = hasSlots && lateWrite == nil && rank.copies.slotRetryAt == nil
    guard assignment.isProtected, hasHolder || hasDisk else { return rank.next }
    return max(rank.copies.copied, rank.copies.durable)
  }

  /// Lets go of what was passed, and asks those for whom a rank waits.
  mutating func passOn(at now: Duration, into effects: inout [Worker.Effect]) {
    guard plan.publishes else { return }
    answerPasses(into: &effects)
    for index in ranks.indices {
      release(index, into: &effects)
      for reader in awaitedReaders(of: ranks[index]) {
        ask(reader, for: index, at: now, into: &effects)
      }
    }
  }

  private mutating func release(_ index: Int, into effects: inout [Worker.Effect]) {
    // A copy that is on its way has what it was begun with.
    guard snapshot?.vrank != ranks[index].vrank else { return }
    let producer = ranks[index].vrank
    while let first = ranks[index].outbox.tiles.first,
      plan.readers(of: first.tile, by: producer).allSatisfy({ hasPassed($0, what: ranks[index]) })
    {
      guard !tiles.isResident(first.tile) || isDroppable(first.tile) else { return }
      ranks[index].outbox.removeFirst()
      if tiles.isResident(first.tile) { drop(first.tile, into: &effects) }
    }
  }

  /// Those without whom a rank doesn't go on.
  private func awaitedReaders(of rank: HostedRank) -> [Reader] {
    guard rank.isFolding, rank.result == nil else { return [] }
    var readers: [Reader] = []
    if rank.next == rank.needed {
      readers = rank.readers
    } else if let first = rank.outbox.tiles.first, rank.outbox.tiles.count >= outboxTiles {
      readers = plan.readers(of: first.tile, by: rank.vrank)
    }
    return readers.filter { !hasPassed($0, what: rank) }
  }

  private mutating func ask(
    _ reader: Reader, for index: Int, at now: Duration, into effects: inout [Worker.Effect]
  ) {
    if let own = rank(of: reader.vrank) { return ranks[own].copies.isDue(at: reader.steps) }
    guard let host = assignment.worker(assignment.hosts[reader.vrank.index].peer),
      isReachable(.peer(host)), ranks[index].outbox.asks(reader, at: now)
    else { return }
    effects.append(
      .askPass(
        PassQuestion(job: job, planTag: planTag, vrank: reader.vrank, steps: reader.steps),
        to: .peer(host)))
  }

  /// A producer asks: it is answered when it is so, and the copy is due.
  mutating func receive(_ question: PassQuestion, from link: Worker.Link) {
    guard plan.publishes, question.job == job, question.planTag == planTag, question.steps > 0,
      let index = rank(of: question.vrank), question.steps <= ranks[index].steps.count
    else { return }
    ranks[index].copies.isDue(at: question.steps)
    passWaiters.removeAll { $0.link == link && $0.vrank == question.vrank }
    if passWaiters.count >= Limits.passWaitersMaximum { passWaiters.removeFirst() }
    passWaiters.append(PassWaiter(vrank: question.vrank, steps: question.steps, link: link))
  }

  private mutating func answerPasses(into effects: inout [Worker.Effect]) {
    var waiting: [PassWaiter] = []
    for waiter in passWaiters {
      guard let index = rank(of: waiter.vrank) else { continue }
      let steps = min(passedSteps(ranks[index]), ranks[index].steps.count)
      guard steps >= waiter.steps else {
        waiting.append(waiter)
        continue
      }
      effects.append(
        .answerPass(
          PassAnswer(job: job, vrank: waiter.vrank, epoch: ranks[index].epoch, steps: steps),
          to: waiter.link))
    }
    passWaiters = waiting
  }

  /// The host of a reader says how far its copies are; nobody else's word counts.
  mutating func receive(_ answer: PassAnswer, from source: Worker.Source) {
    guard assignment.hosts.indices.contains(answer.vrank.index) else { return }
    let host = assignment.hosts[answer.vrank.index]
    guard answer.epoch == host.epoch, let worker = assignment.worker(host.peer),
      source == .peer(worker)
    else { return }
    for index in ranks.indices { ranks[index].outbox.pass(answer.vrank, answer.steps) }
  }
}

/// A producer that waits until a rank here is copied.
struct PassWaiter: Sendable {
  let vrank: VRank
  let steps: Int
  let link: Worker.Link
}
