internal import AttentionKernels
internal import AttentionMasks
internal import MeshCore

/// What can be done of the backward pass at one time: query tiles that differ, each at another run of K/V
/// tiles, a *lane*. No two items touch the same dQ, dK or dV.
struct GradientWave: ItemisedWork {
  enum Item: Sendable {
    /// A query tile comes in.
    case prepare(GradientRows)
    /// A query tile is at a lane.
    case fold(GradientRows, tiles: Range<Int>)
    /// A query tile has been along all lanes.
    case finish(GradientRows)
  }

  let kernel: AttentionKernel
  let mask: AttentionMask
  let keys: GradientKeys
  /// Each of them for every K/V head and its query heads.
  let items: [Item]

  var itemCount: Int { items.count * keys.heads.count }

  func perform(_ item: Int, scratch: FoldScratch) {
    let (index, place) = item.quotientAndRemainder(dividingBy: keys.heads.count)
    let group = keys.job.queriesPerKeyHead
    let first = (keys.heads.lowerBound + place) * group
    switch items[index] {
    case .prepare(let rows):
      for head in first..<first + group { rows.prepare(head: head, kernel) }
    case .finish(let rows):
      for head in first..<first + group { rows.finish(head: head, kernel) }
    case .fold(let rows, let tiles):
      for tile in rows.needed.intersection(Runs(tiles)) {
        // The order within a tile that all forms of the pass have: the heads of a group ascending.
        for head in first..<first + group {
          rows.fold(
            head: head, keys, tile: tile, mask: mask, kernel, scratch: scratch)
        }
      }
    }
  }
}
