package import AttentionMasks

/// What each virtual rank of a job folds, and which tiles it owns: a pure function of the job and
/// the number of virtual ranks. It never changes while the job lives.
///
/// Both grids are canonical: query tiles of `queryTileRows` tokens and K/V tiles of `keyTileKeys`
/// tokens are cut at global positions, the last one of each may be short, and no shard cuts a tile.
/// A row's bits therefore don't depend on the layout or on the number of ranks.
///
/// A rank's share is all heads of some tokens or, where there are fewer query tiles than ranks, a group of
/// heads of them. Tiles have the heads of one group: tile `place * headGroups + group` is that group's of
/// the tokens at `place`, so that the order of tiles is that of their tokens, whatever their heads.
package struct Plan: Sendable {
  /// Tokens of a query tile: the unit in which rows are dealt.
  package static let queryTileRows = 64
  /// Keys of a K/V tile: the unit of folding and of transfer.
  package static let keyTileKeys = 256

  package let job: AttentionJob
  package let vrankCount: Int
  /// Groups of heads into which shares are cut.
  package let headGroups: Int
  /// Tiles of all groups.
  package let queryTileCount: Int
  package let keyTileCount: Int
  package let mask: AttentionMask
  /// What ranks do, one phase after the other.
  package let phases: [Phase]

  private let queryShards: [Shard]
  private let keyShards: [Shard]
  /// Of each shard, the places of the K/V tiles that its rows need.
  private let needed: [Runs]

  /// - Parameters:
  ///   - vrankCount: 1 ... `Limits.vranksMaximum`; ranks beyond the number of query tiles, of all groups of
  ///     heads, would have nothing to fold, so the count is capped by it.
  ///   - blocks: what the job's block map says; nil where the job has none, and only there.
  package init(job: AttentionJob, vrankCount: Int, blocks: BlockMap? = nil) {
    precondition(job.problem == nil, "a plan for a job that \(job.problem ?? "")")
    precondition((1...Limits.vranksMaximum).contains(vrankCount), "\(vrankCount) virtual ranks")
    precondition((job.mask.blocks == nil) == (blocks == nil), "a plan without the job's block map")
    self.job = job
    let queryPlaces = (job.queryTokens + Self.queryTileRows - 1) / Self.queryTileRows
    let keyPlaces = (job.keyTokens + Self.keyTileKeys - 1) / Self.keyTileKeys
    let shards = min(vrankCount, queryPlaces)
    headGroups = Self.headGroups(of: job, atMost: vrankCount / shards, keyPlaces)
    self.vrankCount = shards * headGroups
    queryTileCount = queryPlaces * headGroups
    keyTileCount = keyPlaces * headGroups
    queryShards = Shard.deal(queryPlaces, to: shards, layout: job.layout)
    keyShards = Shard.deal(keyPlaces, to: shards, layout: job.layout)
    let mask = job.attentionMask(blocks: blocks)
    self.mask = mask
    phases = job.isRehearsal ? Phase.rehearsal : Phase.forward
    needed = queryShards.map { shard in
      shard.runs.reduce(.none) {
        $0.union(Self.neededPlaces(ofRows: Self.queryRows(of: $1, job), mask))
      }
    }
  }

  /// The most groups of heads, each as large as the others, that parts of tiles allow: no more than there
  /// is use for, nor so many that a worker's table of tiles grows large.
  private static func headGroups(
    of job: AttentionJob, atMost most: Int, _ keyPlaces: Int
  ) -> Int {
    let bound = min(most, max(1, Limits.groupedTilesMaximum / keyPlaces))
    return (1...job.headCuts).last { job.headCuts % $0 == 0 && $0 <= bound } ?? 1
  }

  /// The number of ranks used when the user doesn't say: about three a worker, so that the ranks of
  /// a lost worker spread over the others.
  package static func defaultVrankCount(workers: Int) -> Int {
    min(3 * max(1, workers), Limits.vranksMaximum)
  }

  /// Whether ranks publish anything.
  var publishes: Bool { phases.contains { $0.publishes != nil } }

  package var vranks: [VRank] { (0..<vrankCount).map { VRank($0) } }

  /// Ranks of one group of heads follow each other, so that a worker has few groups.
  private func shard(of vrank: VRank) -> Int { vrank.index % queryShards.count }
  private func group(of vrank: VRank) -> Int { vrank.index / queryShards.count }

  private func vrank(shard: Int, group: Int) -> VRank {
    VRank(group * queryShards.count + shard)
  }

  /// Query tiles whose rows `vrank` folds, ascending.
  package func queryTiles(of vrank: VRank) -> [Int] {
    queryShards[shard(of: vrank)].tiles.map { $0 * headGroups + group(of: vrank) }
  }

  func queryTileCount(of vrank: VRank) -> Int {
    queryShards[shard(of: vrank)].runs.reduce(0) { $0 + $1.count }
  }

  /// K/V tiles that the host of `vrank` keeps and serves, ascending.
  package func keyTiles(of vrank: VRank) -> [Int] {
    keyShards[shard(of: vrank)].tiles.map { $0 * headGroups + group(of: vrank) }
  }

  /// The virtual rank whose a tile is: that folds its rows, keeps it, or publishes it.
  package func owner(of tile: TileID) -> VRank {
    switch tile.tensor {
    case .query: holder(of: tile.index, in: queryShards)
    case .keyValue, .hidden: holder(of: tile.index, in: keyShards)
    case .partial: VRank(tile.index % vrankCount)
    }
  }

  /// The virtual rank that folds the rows of a query tile.
  package func holder(ofQueryTile tile: Int) -> VRank { holder(of: tile, in: queryShards) }

  private func holder(of tile: Int, in shards: [Shard]) -> VRank {
    let (place, group) = tile.quotientAndRemainder(dividingBy: headGroups)
    for shard in shards.indices where shards[shard].contains(place) {
      return vrank(shard: shard, group: group)
    }
    preconditionFailure("tile \(tile) is in no shard")
  }

  /// The K/V tiles that `vrank` needs, ascending: those in which some row of it sees some key. None for a
  /// rank whose rows see no key.
  package func neededKeyTiles(of vrank: VRank) -> NeededTiles {
    NeededTiles(needed[shard(of: vrank)], groups: headGroups, group: group(of: vrank))
  }

  /// What `vrank` does.
  package func steps(of vrank: VRank) -> RankSteps {
    let (shard, group) = (shard(of: vrank), group(of: vrank))
    return RankSteps(
      phases, of: vrank, ranks: vrankCount,
      chain: Chain(needed, shard: shard, group: group, groups: headGroups)
    ) { span in
      NeededTiles(
        span == .needed ? needed[shard] : Runs(keyShards[shard].runs), groups: headGroups,
        group: group)
    }
  }

  /// The K/V tiles in which some row of a query tile sees some key.
  package func neededKeyTiles(ofQueryTile tile: Int) -> NeededTiles {
    NeededTiles(
      Self.neededPlaces(ofRows: queryRows(of: tile), mask), groups: headGroups,
      group: tile % headGroups)
  }

  /// Of each K/V tile of the inputs, which are read in the first phase, the first step of any rank that reads it; `Int.max` where none does.
  package var firstSteps: [Int] {
    var first = [Int](repeating: .max, count: keyTileCount)
    for places in needed {
      for (step, place) in places.enumerated() {
        for tile in place * headGroups..<(place + 1) * headGroups {
          first[tile] = min(first[tile], step)
        }
      }
    }
    return first
  }

  /// After how many steps of its rank the rows of a query tile, and of all before it in the rank, don't
  /// change any more.
  package func settledSteps(ofQueryTile tile: Int) -> Int {
    let shard = shard(of: holder(ofQueryTile: tile))
    let last = queryShards[shard].runs.compactMap { run -> Int? in
      let rows = Self.queryRows(of: run.clamped(to: 0..<tile / headGroups + 1), job)
      return mask.lastNeededKey(rows: rows)
    }.max()
    return last.map { needed[shard].count(below: $0 / Self.keyTileKeys + 1) } ?? 0
  }

  private static func neededPlaces(ofRows rows: Range<Int>, _ mask: AttentionMask) -> Runs {
    mask.neededTiles(rows: rows, of: keyTileKeys)
  }

  /// Token positions of the query tiles at a run of places.
  private static func queryRows(of places: Range<Int>, _ job: AttentionJob) -> Range<Int> {
    let start = min(places.lowerBound * queryTileRows, job.queryTokens)
    return start..<min(places.upperBound * queryTileRows, job.queryTokens)
  }

  /// Token positions of a query tile.
  package func queryRows(of tile: Int) -> Range<Int> {
    let start = tile / headGroups * Self.queryTileRows
    return start..<min(start + Self.queryTileRows, job.queryTokens)
  }

  /// Token positions of a K/V tile.
  package func keys(of tile: Int) -> Range<Int> {
    let start = tile / headGroups * Self.keyTileKeys
    return start..<min(start + Self.keyTileKeys, job.keyTokens)
  }

  /// (query, key) pairs of one head that `vrank` computes: its share of the work.
  package func visiblePairs(of vrank: VRank) -> Int {
    queryShards[shard(of: vrank)].runs.reduce(0) {
      $0 + mask.pairCount(rows: Self.queryRows(of: $1, job), keys: 0..<job.keyTokens)
    }
  }
}
