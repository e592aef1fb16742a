internal import AttentionKernels
package import MeshCore

/// One thread's scratch memory for folds.
package struct FoldScratch: Sendable {
  let buffer = AlignedBuffer(count: PackedLayout.scratchFloats)

  package init() {}
}

/// A fold of consecutive K/V tiles into all rows of a virtual rank, as independent items: threads
/// take items in any order, and the bits are the same.
package struct FoldWork: Sendable {
  package let vrank: VRank
  package let tiles: Range<Int>
  let kernel: AttentionKernel
  let rank: RankBuffers
  let packed: [PackedKeyTile]

  package var itemCount: Int { rank.itemCount }

  /// (query, key) pairs that the items compute, over all heads: what a model of a worker takes time
  /// by.
  package var visiblePairs: Int {
    rank.queryTiles.reduce(0) { total, tile in
      let rows = rank.plan.queryRows(of: tile)
      return packed.reduce(total) { total, packed in
        total + visibility(rows, packed.keys).pairCount(rowCount: rows.count)
      }
    } * rank.plan.job.flatQueryHeads
  }

  /// Folds the tiles, ascending, into the rows of one item while they are in cache.
  package func perform(_ item: Int, scratch: FoldScratch) {
    let plan = rank.plan
    let tile = rank.queryTile(of: item)
    let rows = plan.queryRows(of: tile)
    let keyHead = rank.head(of: item) / plan.job.queriesPerKeyHead
    if tiles.lowerBound == 0 {
      kernel.resetState(rank.state(item), rowCount: Plan.queryTileRows, layout: rank.layout)
    }
    // Skipping goes by canonical tiles only, so it is the same on every worker.
    let needed = plan.neededKeyTiles(ofQueryTile: tile)
    for key in packed where key.tile < needed {
      kernel.fold(
        queries: rank.queries(item), scale: Double(plan.job.scale), tile: key.head(keyHead),
        layout: rank.layout, rowCount: rows.count, keyCount: key.keys.count,
        visibility: visibility(rows, key.keys), state: rank.state(item),
        scratch: scratch.buffer.floats)
    }
  }

  private func visibility(_ rows: Range<Int>, _ keys: Range<Int>) -> KeyVisibility {
    let job = rank.plan.job
    guard job.mask == .causal else { return KeyVisibility(ceiling: keys.count) }
    return KeyVisibility(
      upper: rows.lowerBound + job.causalOffset + 1 - keys.lowerBound, ceiling: keys.count)
  }
}
