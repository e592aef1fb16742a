package import AttentionMasks

/// What each virtual rank of a job folds, and which tiles it owns: a pure function of the job and
/// the number of virtual ranks. It never changes while the job lives.
///
/// Both grids are canonical: query tiles of `queryTileRows` tokens and K/V tiles of `keyTileKeys`
/// tokens are cut at global positions, the last one of each may be short, and no shard cuts a tile.
/// A row's bits therefore don't depend on the layout or on the number of ranks.
package struct Plan: Sendable {
  /// Tokens of a query tile: the unit in which rows are dealt.
  package static let queryTileRows = 64
  /// Keys of a K/V tile: the unit of folding and of transfer.
  package static let keyTileKeys = 256

  package let job: AttentionJob
  package let vrankCount: Int
  package let queryTileCount: Int
  package let keyTileCount: Int
  package let mask: AttentionMask

  private let queryShards: [Shard]
  private let keyShards: [Shard]
  private let needed: [Runs]

  /// - Parameter vrankCount: 1 ... `Limits.vranksMaximum`; ranks beyond the number of query tiles
  ///   would have nothing to fold, so the count is capped by it.
  package init(job: AttentionJob, vrankCount: Int) {
    precondition(job.problem == nil, "a plan for a job that \(job.problem ?? "")")
    precondition((1...Limits.vranksMaximum).contains(vrankCount), "\(vrankCount) virtual ranks")
    self.job = job
    queryTileCount = (job.queryTokens + Self.queryTileRows - 1) / Self.queryTileRows
    keyTileCount = (job.keyTokens + Self.keyTileKeys - 1) / Self.keyTileKeys
    self.vrankCount = min(vrankCount, queryTileCount)
    queryShards = Shard.deal(queryTileCount, to: self.vrankCount, layout: job.layout)
    keyShards = Shard.deal(keyTileCount, to: self.vrankCount, layout: job.layout)
    let mask = job.attentionMask
    self.mask = mask
    needed = queryShards.map { shard in
      shard.runs.reduce(.none) {
        $0.union(Self.neededKeyTiles(ofRows: Self.queryRows(of: $1, job), mask))
      }
    }
  }

  /// The number of ranks used when the user doesn't say: about three a worker, so that the ranks of
  /// a lost worker spread over the others.
  package static func defaultVrankCount(workers: Int) -> Int {
    min(3 * max(1, workers), Limits.vranksMaximum)
  }

  package var vranks: [VRank] { (0..<vrankCount).map { VRank($0) } }

  /// Query tiles whose rows `vrank` folds, ascending.
  package func queryTiles(of vrank: VRank) -> [Int] { queryShards[vrank.index].tiles }

  /// K/V tiles that the host of `vrank` keeps and serves, ascending.
  package func keyTiles(of vrank: VRank) -> [Int] { keyShards[vrank.index].tiles }

  /// The virtual rank that owns a K/V tile.
  package func owner(ofKeyTile tile: Int) -> VRank { Self.holder(of: tile, in: keyShards) }

  /// The virtual rank that folds the rows of a query tile.
  package func holder(ofQueryTile tile: Int) -> VRank { Self.holder(of: tile, in: queryShards) }

  private static func holder(of tile: Int, in shards: [Shard]) -> VRank {
    for vrank in shards.indices where shards[vrank].contains(tile) { return VRank(vrank) }
    preconditionFailure("tile \(tile) is in no shard")
  }

  /// The K/V tiles that `vrank` folds, ascending: those in which some row of it sees some key. Its step
  /// i folds tile `[i]`. None for a rank whose rows see no key.
  package func neededKeyTiles(of vrank: VRank) -> Runs { needed[vrank.index] }

  /// The K/V tiles in which some row of a query tile sees some key.
  package func neededKeyTiles(ofQueryTile tile: Int) -> Runs {
    Self.neededKeyTiles(ofRows: queryRows(of: tile), mask)
  }

  /// Of each K/V tile the first step of any rank that folds it; `Int.max` where none does.
  package var firstSteps: [Int] {
    var first = [Int](repeating: .max, count: keyTileCount)
    for steps in needed {
      for (step, tile) in steps.enumerated() { first[tile] = min(first[tile], step) }
    }
    return first
  }

  /// After how many steps of its rank the rows of a query tile, and of all before it in the rank, don't
  /// change any more.
  package func settledSteps(ofQueryTile tile: Int) -> Int {
    let vrank = holder(ofQueryTile: tile)
    let last = queryShards[vrank.index].runs.compactMap { run -> Int? in
      let rows = Self.queryRows(of: run.clamped(to: 0..<tile + 1), job)
      return mask.lastNeededKey(rows: rows)
    }.max()
    return last.map { needed[vrank.index].count(below: $0 / Self.keyTileKeys + 1) } ?? 0
  }

  private static func neededKeyTiles(ofRows rows: Range<Int>, _ mask: AttentionMask) -> Runs {
    mask.neededKeys(rows: rows).tiles(of: keyTileKeys)
  }

  /// Token positions of a run of query tiles.
  private static func queryRows(of tiles: Range<Int>, _ job: AttentionJob) -> Range<Int> {
    let start = min(tiles.lowerBound * queryTileRows, job.queryTokens)
    return start..<min(tiles.upperBound * queryTileRows, job.queryTokens)
  }

  /// Token positions of a query tile.
  package func queryRows(of tile: Int) -> Range<Int> {
    let start = tile * Self.queryTileRows
    return start..<min(start + Self.queryTileRows, job.queryTokens)
  }

  /// Token positions of a K/V tile.
  package func keys(of tile: Int) -> Range<Int> {
    let start = tile * Self.keyTileKeys
    return start..<min(start + Self.keyTileKeys, job.keyTokens)
  }

  /// (query, key) pairs of one head that `vrank` computes: its share of the work.
  package func visiblePairs(of vrank: VRank) -> Int {
    queryShards[vrank.index].runs.reduce(0) {
      $0 + mask.pairCount(rows: Self.queryRows(of: $1, job), keys: 0..<job.keyTokens)
    }
  }
}

/// Runs of tiles held by one virtual rank: one run (contiguous) or two (zigzag), ascending.
struct Shard: Sendable {
  let runs: [Range<Int>]

  var tiles: [Int] { runs.flatMap { Array($0) } }

  func contains(_ tile: Int) -> Bool { runs.contains { $0.contains(tile) } }

  static func deal(_ count: Int, to ranks: Int, layout: Layout) -> [Shard] {
    switch layout {
    case .contiguous:
      return cut(count, into: ranks).map { Shard(runs: $0.isEmpty ? [] : [$0]) }
    case .zigzag:
      let chunks = cut(count, into: 2 * ranks)
      return (0..<ranks).map { rank in
        let (low, high) = (chunks[rank], chunks[2 * ranks - 1 - rank])
        if low.isEmpty || high.isEmpty || low.upperBound == high.lowerBound {
          let whole = low.isEmpty ? high : high.isEmpty ? low : low.lowerBound..<high.upperBound
          return Shard(runs: whole.isEmpty ? [] : [whole])
        }
        return Shard(runs: [low, high])
      }
    }
  }

  /// `count` tiles in `parts` runs whose sizes differ by at most one; larger ones go last.
  static func cut(_ count: Int, into parts: Int) -> [Range<Int>] {
    let (size, larger) = count.quotientAndRemainder(dividingBy: parts)
    var start = 0
    return (0..<parts).map { part in
      let end = start + size + (part >= parts - larger ? 1 : 0)
      defer { start = end }
      return start..<end
    }
  }
}
