/// Answers peers at once: HAVE, COMING, LATER, GONE, NO or STALE. Serving never waits for a fold.
extension WorkerRun {
  mutating func serve(
    _ pull: Pull, to link: Worker.Link, into effects: inout [Worker.Effect]
  ) {
    guard pull.job == job, pull.planTag == planTag, pull.tile.tensor != .query,
      tiles.isKnown(pull.tile), epochs.indices.contains(pull.vrank.index)
    else { return effects.append(.answer(.no, pull, to: link)) }
    guard pull.epoch >= epochs[pull.vrank.index] else {
      effects.append(
        .observe(Observation(.staleRefused, job: job, vrank: pull.vrank, detail: "a tile pull")))
      return effects.append(.answer(.stale, pull, to: link))
    }
    epochs[pull.vrank.index] = pull.epoch
    let tile = pull.tile
    let end = endPart(of: pull)
    if !tile.tensor.isStored, !tiles.isResident(tile) {
      return serveLater(pull, endPart: end, link, into: &effects)
    }
    switch tiles[tile] {
    case .resident:
      waiters.removeAll { $0.link == link && $0.tile == tile }
      effects.append(.answer(.have, pull, to: link))
      send(from: pull.firstPart, to: end, of: tile, link, into: &effects)
    case .requested(let request):
      wait(pull, received: request.received, endPart: end, link, into: &effects)
    case .absent:
      // An owner that hasn't loaded it yet will, if any rank needs it.
      guard isOwn(tile), firstSteps[tile.index] < .max else {
        return effects.append(.answer(.no, pull, to: link))
      }
      wait(pull, received: 0, endPart: end, link, into: &effects)
    }
  }

  /// A tile that isn't here, and that a rank computes: it will be, if the rank is here and hasn't been so far.
  private mutating func serveLater(
    _ pull: Pull, endPart: Int, _ link: Worker.Link, into effects: inout [Worker.Effect]
  ) {
    guard let index = rank(of: plan.owner(of: pull.tile)) else {
      return effects.append(.answer(.no, pull, to: link))
    }
    if isGone(pull.tile, of: ranks[index]) {
      return effects.append(.answer(.gone, pull, to: link))
    }
    if ranks[index].duty == .serve { revive(index, into: &effects) }
    wait(pull, received: 0, endPart: endPart, link, answer: .later, into: &effects)
  }

  /// One past the last part that the credit of a pull covers.
  private func endPart(of pull: Pull) -> Int {
    // A peer may say anything; what is subtracted from must not overflow.
    var credit = max(0, pull.creditBytes)
    var part = max(0, pull.firstPart)
    while part < plan.partCount(pull.tile.tensor) {
      credit -= plan.payloadBytes(of: pull.tile, part: part)
      guard credit >= 0 else { break }
      part += 1
    }
    return part
  }

  private mutating func wait(
    _ pull: Pull, received: Int, endPart: Int, _ link: Worker.Link,
    answer: PullAnswer = .coming, into effects: inout [Worker.Effect]
  ) {
    let tile = pull.tile
    waiters.removeAll { $0.link == link && $0.tile == tile }
    guard waiters.count < Limits.workersMaximum * Limits.windowTiles else {
      return effects.append(.answer(.no, pull, to: link))
    }
    waiters.append(
      Waiter(tile: tile, link: link, firstPart: pull.firstPart, endPart: endPart))
    effects.append(.answer(answer, pull, to: link))
    send(from: pull.firstPart, to: min(received, endPart), of: tile, link, into: &effects)
  }

  private func send(
    from first: Int, to end: Int, of tile: TileID, _ link: Worker.Link,
    into effects: inout [Worker.Effect]
  ) {
    var part = max(0, first)
    while part < end {
      effects.append(.serve(tile, part: part, to: link))
      part += 1
    }
  }

  /// Passes a part on to whoever waits for it, before anything is folded.
  mutating func forward(_ part: Int, of tile: TileID, into effects: inout [Worker.Effect]) {
    let isLast = part + 1 == plan.partCount(tile.tensor)
    for waiter in waiters where waiter.tile == tile {
      if waiter.firstPart <= part, part < waiter.endPart {
        effects.append(.serve(tile, part: part, to: waiter.link))
      }
    }
    if isLast { waiters.removeAll { $0.tile == tile } }
  }
}
