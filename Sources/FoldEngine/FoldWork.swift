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

  /// A K/V tile packed for the backward pass, its dK and dV, and rows of a query tile: untouched, it takes no
  /// memory.
  private let gradients = AlignedBuffer(
    count: Self.gradientTileFloats + (2 * PackedLayout.keyCountMaximum + 64)
      * PackedLayout.headDimensionMaximum)
  private static let gradientTileFloats = PackedLayout(
    headDimension: PackedLayout.headDimensionMaximum
  ).backwardTileFloats(keyCount: PackedLayout.keyCountMaximum)

  var gradientTile: UnsafeMutablePointer<Float> { gradients.floats }
  var gradientSums: UnsafeMutablePointer<Float> { gradients.floats + Self.gradientTileFloats }
  /// dQ that nobody wants.
  var gradientRows: UnsafeMutablePointer<Float> {
    gradientSums + 2 * PackedLayout.keyCountMaximum * PackedLayout.headDimensionMaximum
  }

  func head(_ place: Int) -> UnsafeMutablePointer<Float> {
    precondition(place < Limits.tilesPerFold, "a fold of more than \(Limits.tilesPerFold) tiles")
    return heads.floats + place * Self.headFloats
  }
}

/// A fold of the K/V tiles of consecutive steps into all rows of a virtual rank, as independent items:
/// threads take items in any order, and the bits are the same.
package struct FoldWork: Sendable {
  package let vrank: VRank
  package let steps: Range<Int>
  let kernel: AttentionKernel
  let rank: RankBuffers
  let keys: Keys
  /// Places of the query tiles whose rows may see any of the keys; of all in the first step, which begins
  /// their state. Others aren't looked at: of a long sequence a window shows each tile to few.
  private let places: Runs

  init(vrank: VRank, steps: Range<Int>, kernel: AttentionKernel, rank: RankBuffers, keys: Keys) {
    self.vrank = vrank
    self.steps = steps
    self.kernel = kernel
    self.rank = rank
    self.keys = keys
    places = steps.lowerBound == 0 ? Runs(0..<rank.queryTiles.count) : rank.places(near: steps)
  }

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

  /// Query tiles, of all query heads, that fold one head of K and V.
  private var queryTilesPerKeyHead: Int { places.count * rank.plan.job.queriesPerKeyHead }

  private var itemsPerKeyHead: Int {
    (queryTilesPerKeyHead + Self.queryTilesPerItem - 1) / Self.queryTilesPerItem
  }

  package var itemCount: Int {
    switch keys {
    case .packed: places.count * rank.heads.count
    case .parted: rank.plan.headCount(.keyValue) * itemsPerKeyHead
    }
  }

  /// (query, key) pairs that the items compute, over all heads: what a model of a worker takes time
  /// by.
  package var visiblePairs: Int {
    let plan = rank.plan
    let tiles = steps.map(rank.steps.tile)
    func pairs(_ head: Int?) -> Int {
      places.reduce(0) { total, place in
        let rows = plan.queryRows(of: rank.queryTiles[place])
        return tiles.reduce(total) {
          $0 + plan.mask.pairCount(rows: rows, keys: plan.keys(of: $1), head: head)
        }
      }
    }
    guard plan.mask.blocks != nil else { return pairs(nil) * rank.heads.count }
    return rank.heads.reduce(0) { $0 + pairs($1 % plan.job.queryHeads) }
  }

  /// Folds the tiles, ascending, into the rows of one item while they are in cache.
  package func perform(_ item: Int, scratch: FoldScratch) {
    switch keys {
    case .packed(let tiles):
      let (index, place) = item.quotientAndRemainder(dividingBy: places.count)
      let head = rank.heads.lowerBound + index
      let keyHead = head / rank.plan.job.queriesPerKeyHead
      fold(
        tiles.map { Head(keys: $0.keys, floats: $0.head(keyHead)) }, into: head, places[place],
        scratch)
    case .parted(let tiles):
      let group = rank.plan.job.queriesPerKeyHead
      let (index, part) = item.quotientAndRemainder(dividingBy: itemsPerKeyHead)
      let keyHead = rank.heads.lowerBound / group + index
      let first = part * Self.queryTilesPerItem
      let last = min(first + Self.queryTilesPerItem, queryTilesPerKeyHead)
      let heads = tiles.enumerated().map { place, tile in
        tile.pack(head: keyHead, kernel: kernel, layout: rank.layout, into: scratch.head(place))
        return Head(keys: tile.keys, floats: scratch.head(place))
      }
      for index in first..<last {
        let (query, place) = index.quotientAndRemainder(dividingBy: places.count)
        fold(heads, into: keyHead * group + query, places[place], scratch)
      }
    }
  }

  /// - Parameter head: of the queries; the query tile is the one at `place`.
  private func fold(_ heads: [Head], into head: Int, _ place: Int, _ scratch: FoldScratch) {
    let plan = rank.plan
    let item = rank.item(head: head, place: place)
    let rows = plan.queryRows(of: rank.queryTiles[place])
    if steps.lowerBound == 0 {
      kernel.resetState(rank.state(item), rowCount: plan.queryTileRoom, layout: rank.layout)
    }
    let shape = plan.job.logitShape(ofHead: head)
    for tile in heads {
      // What is skipped goes by canonical tiles only, so it is the same on every worker.
      plan.mask.forEachSlice(rows: rows, keys: tile.keys, head: head % plan.job.queryHeads) {
        slice in
        kernel.fold(
          slice, queries: rank.queries(item), scale: Double(plan.job.scale), tile: tile.floats,
          layout: rank.layout, keyCount: tile.keys.count, shape: shape, state: rank.state(item),
          scratch: scratch.buffer.floats)
      }
    }
  }
}
