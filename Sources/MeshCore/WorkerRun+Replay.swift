/// Who comes back from the beginning needs again what others have long let go.
extension WorkerRun {
  /// Whether a tile of a rank here was published, and won't be again.
  func isGone(_ tile: TileID, of rank: HostedRank) -> Bool {
    guard tile.tensor == .partial, cache.isAbsent(tile) else { return false }
    if rank.isDone { return true }
    guard rank.restoring == nil, let step = rank.steps.step(publishing: tile) else { return false }
    return rank.next > step
  }

  /// Gives to the compute threads what can be made now, and forgets what nobody waits for any more.
  mutating func replayReady(into effects: inout Effects) {
    guard plan.publishes else { return }
    for tile in hosted.replays.waiting where !isToCompute(tile) {
      hosted.replays.cancel(tile)
      if !hosted.keep(tile, view) { cache.drop(tile, into: &effects) }
    }
    guard !hosted.replays.waiting.isEmpty else { return }
    let (plan, cache, ranks) = (plan, cache, hosted)
    hosted.replays.begin(into: &effects, isPacked: { cache.isPacked($0) }) { tile in
      let owner = plan.owner(of: tile)
      guard plan.steps(of: owner).passesRows else { return true }
      return ranks.index(of: owner).map { ranks[$0].hasRows } ?? false
    }
  }

  /// Whether somebody waits for a tile that is to be computed once more, and its rank hasn't gone elsewhere.
  private func isToCompute(_ tile: TileID) -> Bool {
    let owner = plan.owner(of: tile)
    if plan.steps(of: owner).passesRows, hosted.index(of: owner) == nil { return false }
    return hosted.isWanted(tile) || server.isAwaited(tile)
  }

  /// A rank here let go of an accumulator of its rows that somebody needs again: its step is done once more,
  /// here, where the rows are or can be asked for again.
  ///
  /// - Returns: whether that takes tiles which weren't needed before.
  mutating func computeAgain(_ tile: TileID, of index: Int, into effects: inout Effects) -> Bool {
    // What its result takes the room of comes back once that is handed in.
    guard !hosted.replays.contains(tile), hosted[index].hasRows || hosted[index].isDone,
      let step = hosted[index].steps.step(publishing: tile)
    else { return false }
    if hosted[index].isDone { _ = revive(index, into: &effects) }
    // Whoever is behind all that is done here isn't kept by it.
    let isFirst = hosted.least.map { hosted[index].steps.order(step) < $0 } ?? true
    guard cache.makeRoom(for: tile, hosted, isFirst: isFirst, into: &effects) else { return false }
    hosted.replays.add(tile, plan, into: &effects)
    return true
  }

  mutating func replayed(_ tile: TileID, into effects: inout Effects) {
    guard hosted.replays.end(tile) else { return }
    // Its producer may have come here meanwhile, and have passed it on once more.
    guard hosted.keep(tile, view) || cache.isForeign(tile) else {
      cache.giveUp(tile)
      return effects.append(.forget(tile))
    }
    cache.have(tile)
    for part in 0..<plan.partCount(tile.tensor) {
      server.forward(part, of: tile, plan, into: &effects)
    }
  }

  /// A rank whose result is final is run again as far as it published what is kept: its former host was
  /// lost with it, and somebody else begins anew.
  ///
  /// - Returns: whether it wasn't being run again.
  mutating func revive(_ index: Int, into effects: inout Effects) -> Bool {
    guard hosted[index].isDone, !hosted[index].isRevived else { return false }
    let (vrank, epoch) = hosted[index].identity
    hosted[index].revive(rows: plan.queryTileCount(of: vrank))
    fetching.add(rowsOf: vrank, plan)
    effects.append(.host(vrank, epoch))
    effects.observe(.sourceChanged, vrank: vrank, "run again for what it published")
    return true
  }

  /// A revived rank is as far as it has to be.
  mutating func endRevivals(into effects: inout Effects) {
    for index in hosted.indices where hosted[index].isRevived {
      guard hosted[index].next == hosted[index].needed, hosted[index].missingQueries == 0,
        !hosted.replays.has(stepsOf: hosted[index].vrank, plan)
      else { continue }
      hosted[index].endRevival()
      effects.append(.retire(hosted[index].vrank, hosted[index].epoch))
    }
  }
}
