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

  private let queryShards: [Shard]
  private let keyShards: [Shard]

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

  /// The K/V tiles that `vrank` folds are 0 ..< this: under both masks the keys a row sees are a
  /// prefix. 0 for a rank whose rows see no key.
  package func neededKeyTiles(of vrank: VRank) -> Int {
    guard let last = queryTiles(of: vrank).last else { return 0 }
    return neededKeyTiles(ofQueryTile: last)
  }

  /// The K/V tiles that some row of a query tile sees are 0 ..< this.
  package func neededKeyTiles(ofQueryTile tile: Int) -> Int {
    guard job.mask == .causal else { return keyTileCount }
    let lastKey = queryRows(of: tile).upperBound - 1 + job.causalOffset
    return lastKey < 0 ? 0 : min(keyTileCount, lastKey / Self.keyTileKeys + 1)
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
    queryTiles(of: vrank).reduce(0) { total, tile in
      let rows = queryRows(of: tile)
      guard job.mask == .causal else { return total + rows.count * job.keyTokens }
      return rows.reduce(total) { $0 + min(max(0, $1 + job.causalOffset + 1), job.keyTokens) }
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
