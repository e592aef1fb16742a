package import AttentionMasks

/// What each virtual rank of a job folds, and which tiles it owns: a pure function of the job and
/// the number of virtual ranks. It never changes while the job lives.
///
/// Both grids are canonical: query tiles of `queryTileRows` tokens and K/V tiles of `keyTileKeys`
/// tokens are cut at global positions, the last one of each may be short, and no shard cuts a tile.
/// A row's bits therefore don't depend on the layout or on the number of ranks.
///
/// A rank's share is a group of heads of some tokens, as the job's strategy cuts them. Tiles have the heads of one group: tile `place * headGroups + group` is that group's of
/// the tokens at `place`, so that the order of tiles is that of their tokens, whatever their heads.
package struct Plan: Sendable {
  /// Tokens of a query tile: the unit in which rows are dealt.
  package static let queryTileRows = 64
  /// Keys of a K/V tile: the unit of folding and of transfer.
  package static let keyTileKeys = 256

  package let job: AttentionJob
  /// Groups of heads and shards of tokens into which it is cut.
  package let grid: Grid
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
  /// What `settledSteps` goes by where shards have so many runs that they can't be gone through for each
  /// tile; empty otherwise.
  private let lastNeeded: [[Int]]

  /// - Parameters:
  ///   - vrankCount: 1 ... `Limits.vranksMaximum`; ranks beyond the number of query tiles, of all groups of
  ///     heads, would have nothing to fold, so the count is capped by it.
  ///   - blocks: what the job's block map says; nil where the job has none, and only there.
  package init(job: AttentionJob, vrankCount: Int, blocks: BlockMap? = nil) {
    precondition(job.problem == nil, "a plan for a job that \(job.problem ?? "")")
    precondition((1...Limits.vranksMaximum).contains(vrankCount), "\(vrankCount) virtual ranks")
    precondition((job.mask.blocks == nil) == (blocks == nil), "a plan without the job's block map")
    self.job = job
    let grid = Grid(of: job, vranks: vrankCount)
    self.grid = grid
    queryTileCount = job.queryPlaces * grid.groups
    keyTileCount = job.keyPlaces * grid.groups
    queryShards = Shard.deal(job.queryPlaces, to: grid.shards, layout: job.layout)
    keyShards = Shard.deal(job.keyPlaces, to: grid.shards, layout: job.layout)
    let mask = job.attentionMask(blocks: blocks)
    self.mask = mask
    phases =
      job.isRehearsal ? Phase.rehearsal : job.isBackward ? Phase.backward : Phase.forward
    needed = queryShards.map { shard in
      mask.neededTiles(rows: shard.runs.map { Self.queryRows(of: $0, job) }, of: Self.keyTileKeys)
    }
    lastNeeded =
      job.layout == .striped ? queryShards.map { Self.lastNeeded(of: $0, job, mask) } : []
  }

  /// Of each tile of a shard, the last key that its rows or those of tiles before it see; -1 for none.
  private static func lastNeeded(
    of shard: Shard, _ job: AttentionJob, _ mask: AttentionMask
  ) -> [Int] {
    var last = -1
    return shard.tiles.map { tile in
      last = max(last, mask.lastNeededKey(rows: queryRows(of: tile..<tile + 1, job)) ?? -1)
      return last
    }
  }

  /// The number of ranks used when the user doesn't say: about three a worker, so that the ranks of
  /// a lost worker spread over the others.
  package static func defaultVrankCount(workers: Int) -> Int {
    min(3 * max(1, workers), Limits.vranksMaximum)
  }

  package var vrankCount: Int { grid.ranks }
  /// Groups of heads into which shares are cut.
  package var headGroups: Int { grid.groups }

  /// Whether ranks publish anything.
  var publishes: Bool { phases.contains { $0.publishes != nil } }

  /// Tensors of which ranks publish the tiles.
  package var computedTensors: Set<TileTensor> {
    Set(phases.flatMap { [$0.publishes, $0.keeps].compactMap(\.self) })
  }

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
    queryShards[shard(of: vrank)].count
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
    case .gradient: lastReader(ofKeyTile: tile.index) ?? holder(of: tile.index, in: keyShards)
    }
  }

  /// The first of the ranks that need a K/V tile: the last of those through which its dK and dV go.
  private func lastReader(ofKeyTile tile: Int) -> VRank? {
    let (place, group) = tile.quotientAndRemainder(dividingBy: headGroups)
    return needed.firstIndex { $0.contains(place) }.map { vrank(shard: $0, group: group) }
  }

  /// The virtual rank that folds the rows of a query tile.
  package func holder(ofQueryTile tile: Int) -> VRank { holder(of: tile, in: queryShards) }

  private func holder(of tile: Int, in shards: [Shard]) -> VRank {
    let (place, group) = tile.quotientAndRemainder(dividingBy: headGroups)
    guard let shard = Shard.index(of: place, in: shards) else {
      preconditionFailure("tile \(tile) is in no shard")
    }
    return vrank(shard: shard, group: group)
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
      chain: Chain(
        needed, shard: shard, group: group, groups: headGroups,
        goesDown: phases.contains { $0.goesDown })
    ) { span in
      NeededTiles(
        span == .needed ? needed[shard] : Runs(keyShards[shard].runs), groups: headGroups,
        group: group)
    }
  }

  /// The K/V tiles in which some row of a query tile sees some key.
  package func neededKeyTiles(ofQueryTile tile: Int) -> NeededTiles {
    NeededTiles(
      mask.neededTiles(rows: [queryRows(of: tile)], of: Self.keyTileKeys), groups: headGroups,
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
    let (place, shard) = (tile / headGroups, shard(of: holder(ofQueryTile: tile)))
    let last =
      lastNeeded.isEmpty
      ? lastNeededKey(in: queryShards[shard], to: place)
      : lastNeeded[shard][queryShards[shard].count(below: place)]
    return last < 0 ? 0 : needed[shard].count(below: last / Self.keyTileKeys + 1)
  }

  /// The last key that rows of a shard see, up to those at a place; -1 for none.
  private func lastNeededKey(in shard: Shard, to place: Int) -> Int {
    let last = shard.runs.compactMap { run -> Int? in
      mask.lastNeededKey(rows: Self.queryRows(of: run.clamped(to: 0..<place + 1), job))
    }
    return last.max() ?? -1
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
