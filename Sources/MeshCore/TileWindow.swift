/// How many K/V tiles a worker has at hand at a time. A tile has all heads of its keys, and may have
/// very many: so windows are bounded in bytes, and what is beyond them is packed a head at a time.
/// A function of the job and the budget, never of what happens.
package struct TileWindow: Hashable, Sendable {
  /// K/V tiles above a virtual rank's `next` that its worker fetches ahead: at least one.
  package let tiles: Int
  /// Foreign tiles that are kept for all hosted ranks, and tiles that are packed, beside the one that
  /// the rank furthest behind waits for.
  package let kept: Int
  /// Whether tiles are packed as soon as they are there, once for all ranks. Those that are larger
  /// than the budget are packed by the threads that fold them.
  package let packsAhead: Bool
  /// Ranks whose accumulators may have to be computed once more, one for the other; 0 for attention.
  private let chained: Int

  package init(plan: Plan, budget: Int = Limits.windowBytes) {
    let tile = plan.packedTileBytes
    tiles = max(1, min(Limits.windowTiles, budget / tile))
    kept = max(2, min(3 * Limits.windowTiles, 3 * budget / tile))
    packsAhead = tile <= budget
    chained = plan.publishes ? plan.vrankCount : 0
  }

  /// Foreign tiles, or packed ones, that there are at the most: each hosted rank may have been the one
  /// furthest behind, and small windows never hold more than the largest ones.
  package func most(hosted: Int) -> Int {
    // A step of such a program may read two.
    if chained > 0 { return kept + 2 * (max(2, hosted) + chained) }
    return min(kept + max(2, hosted), 3 * Limits.windowTiles + 2)
  }
}

extension Plan {
  /// Bytes of a K/V tile as the kernel reads it.
  package var packedTileBytes: Int { headCount(.keyValue) * packedHeadBytes }

  /// Bytes of one head of a K/V tile as the kernel reads it: whole panels of 64 keys, and columns
  /// padded to vectors of sixteen.
  var packedHeadBytes: Int {
    let keys = min(Self.keyTileKeys, job.keyTokens)
    let columns = (job.headDimension + 15) / 16 * 16
    return ((keys + 63) / 64 * 64 * job.headDimension + keys * columns) * 4
  }

  /// Rows for which there is room in a query tile of one head, in whole vectors: a job may have fewer
  /// queries than a tile.
  package var queryTileRoom: Int { min(Self.queryTileRows, (job.queryTokens + 15) / 16 * 16) }

  /// One past the last part of a tile to ask a source for at once: what is on its way has to be
  /// bounded, however large a tile is.
  func endOfPull(_ tile: TileID, from first: Int) -> Int {
    let count = partCount(tile.tensor)
    var (end, bytes) = (first, 0)
    while end < count, end - first < Limits.pullPartsMaximum {
      bytes += payloadBytes(of: tile, part: end)
      guard bytes <= Limits.pullBytesMaximum || end == first else { break }
      end += 1
    }
    return end
  }
}
