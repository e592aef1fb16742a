/// Tiles come, and go to others.
extension WorkerRun {
  /// Asks for whatever may be asked for now: rows and shard from the store, the windows' foreign
  /// tiles along the ring, within the byte credit of each.
  ///
  /// - Returns: whether what was let go is to be computed once more, which needs tiles of its own.
  mutating func fetch(
    _ window: [TileID], at now: Duration, into effects: inout Effects
  ) -> Bool {
    fetching.load(&cache, for: hosted, view, at: now, into: &effects)
    let missing = window.filter {
      cache.isAbsent($0) && !($0.tensor.isStored && view.isOwn($0))
    }
    var isMore = false
    for tile in missing.sorted() {
      guard tile.tensor.isStored else {
        isMore = seek(tile, at: now, into: &effects) || isMore
        continue
      }
      guard cache.makeRoom(for: tile, hosted, into: &effects) else { break }
      fetching.request(
        tile, of: view.firstSource(of: tile), &cache, for: hosted, view, at: now, into: &effects)
    }
    return isMore
  }

  /// A tile that ranks compute and that some step here waits for: asked of the producer's host, or made again.
  ///
  /// - Returns: whether it is made again.
  private mutating func seek(
    _ tile: TileID, at now: Duration, into effects: inout Effects
  ) -> Bool {
    guard !hosted.replays.contains(tile) else { return false }
    guard let index = hosted.index(of: plan.owner(of: tile)) else {
      if let owner = view.owner(of: tile), cache.makeRoom(for: tile, hosted, into: &effects) {
        fetching.request(
          tile, of: owner, &cache, for: hosted, view, at: now, into: &effects)
      }
      return false
    }
    guard isGone(tile, of: hosted[index]) else {
      return hosted[index].duty == .serve && revive(index, into: &effects)
    }
    if hosted[index].steps.passesRows { return computeAgain(tile, of: index, into: &effects) }
    guard cache.makeRoom(for: tile, hosted, into: &effects) else { return false }
    hosted.replays.add(tile, plan, into: &effects)
    return true
  }

  /// Gives a peer a tile, or says that it will come, that it is gone, or that it isn't here.
  mutating func serve(_ pull: Pull, to link: Worker.Link, into effects: inout Effects) {
    let tile = pull.tile
    guard pull.planTag == view.planTag, tile.tensor != .query, cache.isKnown(tile),
      view.isKnown(pull.vrank)
    else { return effects.append(.answer(.no, pull, to: link)) }
    guard view.admits(pull.epoch, for: pull.vrank) else {
      effects.observe(.staleRefused, vrank: pull.vrank, "a tile pull")
      return effects.append(.answer(.stale, pull, to: link))
    }
    guard tile.tensor.isStored || cache.isResident(tile) else {
      return serveLater(pull, link, into: &effects)
    }
    server.serve(pull, to: link, cache, view, into: &effects)
  }

  /// A tile that isn't here, and that a rank computes: it will be, if the rank is here and hasn't been so far.
  private mutating func serveLater(
    _ pull: Pull, _ link: Worker.Link, into effects: inout Effects
  ) {
    guard let index = hosted.index(of: plan.owner(of: pull.tile)) else {
      return effects.append(.answer(.no, pull, to: link))
    }
    if isGone(pull.tile, of: hosted[index]) {
      guard hosted[index].steps.passesRows else {
        return effects.append(.answer(.gone, pull, to: link))
      }
      _ = computeAgain(pull.tile, of: index, into: &effects)
    } else if hosted[index].duty == .serve {
      _ = revive(index, into: &effects)
    }
    server.wait(pull, .later, received: 0, link, plan, into: &effects)
  }

  mutating func receive(
    _ answer: PullAnswer, about tile: TileID, from source: Worker.Source, at now: Duration,
    into effects: inout Effects
  ) {
    if answer == .gone, tile.tensor == .partial, cache.request(of: tile)?.source == source {
      guard hosted.isWanted(tile) else { return cache.drop(tile, into: &effects) }
      cache.giveUp(tile)
      return hosted.replays.add(tile, plan, into: &effects)
    }
    fetching.receive(
      answer, about: tile, from: source, &cache, for: hosted, view, at: now, into: &effects)
  }

  /// One more part of a tile. Parts of a tile come in order; anything else was not asked for.
  mutating func receive(
    _ part: Int, of tile: TileID, _ payload: Payload, at now: Duration,
    into effects: inout Effects
  ) {
    guard takes(part, of: tile) else { return }
    effects.append(.keepPart(tile, part: part, payload))
    if tile.tensor != .query { server.forward(part, of: tile, plan, into: &effects) }
    let isWhole = fetching.receive(
      part, of: tile, &cache, for: hosted, view, at: now, into: &effects)
    guard isWhole, tile.tensor == .query else { return }
    effects.append(.pack(tile))
    if let index = hosted.index(of: plan.holder(ofQueryTile: tile.index)) {
      hosted[index].rowsArrive()
    }
  }
}
