/// Who comes back from the beginning needs again what others have long let go.
extension WorkerRun {
  /// Whether a tile of a rank here was published, and won't be again.
  func isGone(_ tile: TileID, of rank: HostedRank) -> Bool {
    guard tile.tensor == .partial, cache.isAbsent(tile) else { return false }
    if rank.duty == .serve { return true }
    guard rank.restoring == nil, let step = rank.steps.step(publishing: tile) else { return false }
    return rank.next > step
  }

  /// Gives to the compute threads what can be made now, and forgets what nobody waits for any more.
  mutating func replayReady(into effects: inout Effects) {
    guard plan.publishes else { return }
    for tile in hosted.replays.waiting where !hosted.isWanted(tile) {
      hosted.replays.cancel(tile)
      if !hosted.keep(tile, view) { cache.drop(tile, into: &effects) }
    }
    hosted.replays.begin(into: &effects) { cache.isPacked($0) }
  }

  mutating func replayed(_ tile: TileID, into effects: inout Effects) {
    guard hosted.replays.end(tile) else { return }
    // Its producer may have come here meanwhile, and have passed it on once more.
    guard hosted.keep(tile, view) || cache.isForeign(tile) else {
      cache.giveUp(tile)
      return effects.append(.forget(tile))
    }
    cache.have(tile)
  }

  /// A rank whose result is final is run again as far as it published what is kept: its former host was
  /// lost with it, and somebody else begins anew.
  ///
  /// - Returns: whether it wasn't being run again.
  mutating func revive(_ index: Int, into effects: inout Effects) -> Bool {
    guard hosted[index].duty == .serve, !hosted[index].isRevived else { return false }
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
      guard hosted[index].next == hosted[index].needed, hosted[index].missingQueries == 0 else {
        continue
      }
      hosted[index].endRevival()
      effects.append(.retire(hosted[index].vrank, hosted[index].epoch))
    }
  }
}
