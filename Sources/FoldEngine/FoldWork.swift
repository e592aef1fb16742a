internal import AttentionKernels
package import MeshCore

/// One thread's scratch memory for folds.
package struct FoldScratch: Sendable {
  let buffer = AlignedBuffer(count: PackedLayout.scratchFloats)
  /// One head of each tile of a fold, for tiles that aren't packed: untouched, it takes no memory.
  let heads = AlignedBuffer(count: Limits.tilesPerFold * Self.headFloats)

  static let headFloats = PackedLayout(headDimension: PackedLayout.headDimensionMaximum)
    .tileFloats(keyCount: PackedLayout.keyCountMaximum)

  package init() {}

  func head(_ place: Int) -> UnsafeMutablePointer<Float> { heads.floats + place * Self.headFloats }
}

/// A fold of the K/V tiles of consecutive steps into all rows of a virtual rank, as independent items:
/// threads take items in any order, and the bits are the same.
package struct FoldWork: Sendable {
  package let vrank: VRank
  package let steps: Range<Int>
  let kernel: AttentionKernel
  let rank: RankBuffers
  let keys: Keys

  /// The tiles: packed, with an item for each query tile of each head; or as they came, with items
  /// of several query tiles that see the same head of K and V, which is packed for each of them anew.
  enum Keys: Sendable {
    case packed([PackedKeyTile])
    case parted([PartedKeyTile])
  }

  /// A K/V tile of one head.
  private struct Head {
    let keys: Range<Int>
    let floats: UnsafeMutablePointer<Float>
  }

  /// Query tiles for which a head is packed once: enough to make that cheap, few enough to tell soon
  /// that a thread gets on.
  private static let queryTilesPerItem = 32

  /// Query tiles, of all query heads, that see one head of K and V.
  private var queryTilesPerKeyHead: Int {
    rank.queryTiles.count * rank.plan.job.queriesPerKeyHead
  }

  private var itemsPerKeyHead: Int {
    (queryTilesPerKeyHead + Self.queryTilesPerItem - 1) / Self.queryTilesPerItem
  }

  package var itemCount: Int {
    switch keys {
    case .packed: rank.itemCount
    case .parted: rank.plan.job.flatKeyValueHeads * itemsPerKeyHead
    }
  }

  /// (query, key) pairs that the items compute, over all heads: what a model of a worker takes time
  /// by.
  package var visiblePairs: Int {
    let plan = rank.plan
    let tiles = plan.neededKeyTiles(of: vrank)[steps]
    return rank.queryTiles.reduce(0) { total, tile in
      tiles.reduce(total) {
        $0 + plan.mask.pairCount(rows: plan.queryRows(of: tile), keys: plan.keys(of: $1))
      }
    } * plan.job.flatQueryHeads
  }

  /// Folds the tiles, ascending, into the rows of one item while they are in cache.
  package func perform(_ item: Int, scratch: FoldScratch) {
    switch keys {
    case .packed(let tiles):
      let head = rank.head(of: item) / rank.plan.job.queriesPerKeyHead
      fold(
        tiles.map { Head(keys: $0.keys, floats: $0.head(head)) }, into: item,
        scratch)
    case .parted(let tiles):
      let (head, part) = item.quotientAndRemainder(dividingBy: itemsPerKeyHead)
      let first = part * Self.queryTilesPerItem
      let last = min(first + Self.queryTilesPerItem, queryTilesPerKeyHead)
      let heads = tiles.enumerated().map { place, tile in
        tile.pack(head: head, kernel: kernel, layout: rank.layout, into: scratch.head(place))
        return Head(keys: tile.keys, floats: scratch.head(place))
      }
      for place in first..<last { fold(heads, into: head * queryTilesPerKeyHead + place, scratch) }
    }
  }

  /// - Parameter item: a query tile of one query head.
  private func fold(_ heads: [Head], into item: Int, _ scratch: FoldScratch) {
    let plan = rank.plan
    let tile = rank.queryTile(of: item)
    let rows = plan.queryRows(of: tile)
    if steps.lowerBound == 0 {
      kernel.resetState(rank.state(item), rowCount: plan.queryTileRoom, layout: rank.layout)
    }
    let shape = plan.job.logitShape(ofHead: rank.head(of: item))
    for head in heads {
      // What is skipped goes by canonical tiles only, so it is the same on every worker.
      plan.mask.forEachSlice(rows: rows, keys: head.keys) { slice in
        kernel.fold(
          slice, queries: rank.queries(item), scale: Double(plan.job.scale), tile: head.floats,
          layout: rank.layout, keyCount: head.keys.count, shape: shape, state: rank.state(item),
          scratch: scratch.buffer.floats)
      }
    }
  }
}
