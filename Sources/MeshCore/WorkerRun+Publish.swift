/// What hosted ranks publish: who waits for it gets it, and it is kept until its readers have passed it.
extension WorkerRun {
  /// Steps are done: what they published is there.
  mutating func publish(
    _ steps: Range<Int>, of index: Int, into effects: inout Effects
  ) {
    guard plan.publishes else { return }
    for step in steps {
      guard let tile = hosted[index].steps.publishes(step) else { continue }
      // Of a rank that is run again others have all that travelled.
      if hosted[index].isRevived, tile.tensor == .partial {
        effects.append(.forget(tile))
        continue
      }
      own(tile, step: step, of: index, into: &effects)
    }
  }

  /// A tile that a rank here published is here: now, or before it was restored.
  private mutating func own(
    _ tile: TileID, step: Int, of index: Int, into effects: inout Effects
  ) {
    cache.own(tile)
    hosted.replays.cancel(tile)
    for part in 0..<plan.partCount(tile.tensor) {
      server.forward(part, of: tile, plan, into: &effects)
    }
    if tile.tensor == .partial { hosted[index].outbox.add(tile, step: step) }
  }

  /// Whether a copy has all that the rank published and that is kept, or this worker has it anyway: who would
  /// go on without could never give it to anybody.
  func has(_ restored: [TileID], of index: Int, at next: Int) -> Bool {
    guard plan.publishes else { return true }
    let steps = hosted[index].steps
    return (0..<min(next, steps.endOfKept)).allSatisfy { step in
      guard let tile = steps.publishes(step), tile.tensor != .partial else { return true }
      return restored.contains(tile) || cache.isResident(tile)
    }
  }

  /// What the rank published before it was restored: what came with its copy, and what was here anyway.
  mutating func restorePublished(
    _ restored: [TileID], of index: Int, into effects: inout Effects
  ) {
    guard plan.publishes else { return }
    let here = cache.here.filter { cache.isResident($0) }
    for tile in restored + here where plan.owner(of: tile) == hosted[index].vrank {
      guard let step = hosted[index].steps.step(publishing: tile), step < hosted[index].next else {
        continue
      }
      own(tile, step: step, of: index, into: &effects)
    }
  }

  // MARK: Who has passed what

  /// Whether nobody needs what a rank published any more: then its result may be handed in, after which
  /// nothing of it is copied.
  func isPassed(_ rank: HostedRank) -> Bool {
    rank.readers.allSatisfy { hasPassed($0, what: rank) }
  }

  /// Whether a reader's copies have passed what it reads of a rank.
  private func hasPassed(_ reader: Reader, what rank: HostedRank) -> Bool {
    if view.host(of: reader.vrank).duty == .serve { return true }
    if let index = hosted.index(of: reader.vrank) {
      return passedSteps(hosted[index]) >= reader.steps
    }
    return rank.outbox.hasPassed(reader)
  }

  /// How far a rank is in what would outlive this worker. Where nothing would, as far as it is: what is
  /// lost then is computed again from the beginning, whatever others keep.
  private func passedSteps(_ rank: HostedRank) -> Int {
    if rank.isDone { return .max }
    guard rank.restoring == nil else { return 0 }
    return rank.copies.outlasting(hasDisk: copies.hasDisk(view)) ?? rank.next
  }

  /// Lets go of what was passed, and asks those for whom a rank waits.
  mutating func passOn(at now: Duration, into effects: inout Effects) {
    guard plan.publishes else { return }
    var waiters = passes
    waiters.answer(job, into: &effects) { vrank in
      hosted.index(of: vrank).map { index in
        let rank = hosted[index]
        return (rank.epoch, min(passedSteps(rank), rank.steps.count))
      }
    }
    passes = waiters
    for index in hosted.indices {
      letGo(index, into: &effects)
      for reader in awaitedReaders(of: hosted[index]) {
        ask(reader, for: index, at: now, into: &effects)
      }
    }
  }

  private mutating func letGo(_ index: Int, into effects: inout Effects) {
    // A copy that is on its way has what it was begun with.
    let producer = hosted[index].vrank
    guard !copies.isCopying(producer) else { return }
    while let first = hosted[index].outbox.tiles.first,
      plan.readers(of: first.tile, by: producer).allSatisfy({ hasPassed($0, what: hosted[index]) })
    {
      let isHere = cache.isResident(first.tile)
      guard !isHere || cache.isDroppable(first.tile, for: hosted) else { return }
      hosted[index].outbox.removeFirst()
      if isHere { cache.drop(first.tile, into: &effects) }
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
    _ reader: Reader, for index: Int, at now: Duration, into effects: inout Effects
  ) {
    if let own = hosted.index(of: reader.vrank) {
      return hosted[own].copies.demand(reader.steps)
    }
    guard let host = assignment.worker(view.host(of: reader.vrank).peer), view.isReachable(host),
      hosted[index].outbox.asks(reader, at: now)
    else { return }
    effects.append(
      .askPass(
        PassQuestion(
          job: job, planTag: view.planTag, vrank: reader.vrank, steps: reader.steps),
        to: .peer(host)))
  }

  /// A producer asks: it is answered when it is so, and the copy is due.
  mutating func receive(_ question: PassQuestion, from link: Worker.Link) {
    guard plan.publishes, question.planTag == view.planTag, question.steps > 0,
      let index = hosted.index(of: question.vrank),
      question.steps <= hosted[index].steps.count
    else { return }
    hosted[index].copies.demand(question.steps)
    passes.add(question, from: link)
  }

  /// The host of a reader says how far its copies are; nobody else's word counts.
  mutating func receive(_ answer: PassAnswer, from source: Worker.Source) {
    guard view.isKnown(answer.vrank) else { return }
    let host = view.host(of: answer.vrank)
    guard answer.epoch == host.epoch, let worker = assignment.worker(host.peer),
      source == .peer(worker)
    else { return }
    for index in hosted.indices { hosted[index].outbox.pass(answer.vrank, answer.steps) }
  }
}
