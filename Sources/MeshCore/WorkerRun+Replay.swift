/// A travelling accumulator that its producer has let go, computed here once more: of the tiles that its
/// step reads and nothing else, which may be gone as well.
struct Replay: Sendable {
  let tile: TileID
  let reads: AtMostTwo<TileID>
  /// Of the step: before whatever waits for the tile.
  let order: StepOrder
  var isUnderWay = false
}

/// Who comes back from the beginning needs again what others have long let go.
extension WorkerRun {
  /// Tiles that ranks compute and that some step here waits for: asked of the producer's host, or made again.
  mutating func seek(_ tile: TileID, at now: Duration, into effects: inout [Worker.Effect]) {
    guard !replays.contains(where: { $0.tile == tile }) else { return }
    let producer = plan.owner(of: tile)
    guard let index = rank(of: producer) else {
      guard let owner = owner(of: tile), makeRoom(for: tile, into: &effects) else { return }
      return request(tile, of: owner, at: now, into: &effects)
    }
    guard isGone(tile, of: ranks[index]) else {
      if ranks[index].duty == .serve { revive(index, into: &effects) }
      return
    }
    if makeRoom(for: tile, into: &effects) { replay(tile, into: &effects) }
  }

  /// Whether a tile of a rank here was published, and won't be again.
  func isGone(_ tile: TileID, of rank: HostedRank) -> Bool {
    guard tile.tensor == .partial, tiles.isAbsent(tile) else { return false }
    if rank.duty == .serve { return true }
    guard rank.restoring == nil, let step = rank.steps.step(publishing: tile) else { return false }
    return rank.next > step
  }

  /// - Precondition: there is room for the tile.
  mutating func replay(_ tile: TileID, into effects: inout [Worker.Effect]) {
    let steps = plan.steps(of: plan.owner(of: tile))
    guard let step = steps.step(publishing: tile) else { return }
    replays.append(
      Replay(tile: tile, reads: steps.reads(step), order: steps.order(step)))
    effects.append(
      .observe(
        Observation(
          .sourceChanged, job: job, detail: "\(tile): it was passed on; computing it once more")))
  }

  /// Gives to the compute threads what can be made now, and forgets what nobody waits for any more.
  mutating func replayReady(into effects: inout [Worker.Effect]) {
    guard !replays.isEmpty else { return }
    for replay in replays where !replay.isUnderWay && !isWanted(replay.tile) {
      replays.removeAll { $0.tile == replay.tile }
      if !isKept(replay.tile) { drop(replay.tile, into: &effects) }
    }
    for index in replays.indices where !replays[index].isUnderWay {
      guard replays[index].reads.allSatisfy({ packed.contains($0) }) else { continue }
      replays[index].isUnderWay = true
      effects.append(.replay(replays[index].tile))
    }
  }

  /// Whether a step that is soon to be done reads a tile.
  func isWanted(_ tile: TileID) -> Bool {
    ranks.contains { $0.hasInWindow(tile) } || replays.contains { $0.reads.contains(tile) }
  }

  mutating func replayed(_ tile: TileID, into effects: inout [Worker.Effect]) {
    guard let place = replays.firstIndex(where: { $0.tile == tile && $0.isUnderWay }) else {
      return
    }
    replays.remove(at: place)
    // Its producer may have come here meanwhile, and have passed it on once more.
    guard isKept(tile) || foreign.contains(tile) else {
      tiles[tile] = .absent
      return effects.append(.forget(tile))
    }
    tiles[tile] = .resident
  }

  /// A rank whose result is final is run again as far as it published what is kept: its former host was
  /// lost with it, and somebody else begins anew.
  mutating func revive(_ index: Int, into effects: inout [Worker.Effect]) {
    guard ranks[index].duty == .serve, !ranks[index].isRevived else { return }
    let (vrank, epoch) = ranks[index].identity
    ranks[index].isRevived = true
    ranks[index].next = 0
    ranks[index].dispatched = 0
    ranks[index].missingQueries = plan.queryTiles(of: vrank).count
    queryLoads += plan.queryTiles(of: vrank)
    effects.append(.host(vrank, epoch))
    effects.append(
      .observe(
        Observation(
          .sourceChanged, job: job, vrank: vrank, detail: "run again for what it published")))
  }

  /// A revived rank is as far as it has to be.
  mutating func endRevivals(into effects: inout [Worker.Effect]) {
    for index in ranks.indices where ranks[index].isRevived {
      guard ranks[index].next == ranks[index].needed, ranks[index].missingQueries == 0 else {
        continue
      }
      ranks[index].isRevived = false
      effects.append(.retire(ranks[index].vrank, ranks[index].epoch))
    }
  }
}
