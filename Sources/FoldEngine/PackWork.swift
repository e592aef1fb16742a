internal import AttentionKernels
internal import MeshCore

/// Bringing a whole tile into the layout that the kernel reads, as independent items, one for each
/// head: threads take items in any order, and the bits are the same.
///
/// It keeps alive what it reads and what it writes: whatever its engine frees or packs anew meanwhile,
/// it does no harm.
package struct PackWork: Sendable {
  let kernel: AttentionKernel
  let tile: Tile

  enum Tile: Sendable {
    /// Nothing to do now: the rank of a query tile is gone, or whoever folds a K/V tile packs it.
    case none
    case queries([PartPayload], into: RankBuffers, place: Int)
    case keys(PartedKeyTile, into: PackedKeyTile)
  }

  package var itemCount: Int {
    switch tile {
    case .none: 0
    case .queries(_, let rank, _): rank.plan.job.flatQueryHeads
    case .keys(_, let target): target.headCount
    }
  }

  /// Packs one head.
  package func perform(_ head: Int) {
    switch tile {
    case .none: preconditionFailure("there is no head \(head) to pack")
    case .queries(let parts, let rank, let place):
      let (part, index) = head.quotientAndRemainder(
        dividingBy: rank.plan.headsPerPart(.query))
      rank.packQueries(parts[part].bytes, index, head: head, place: place, kernel: kernel)
    case .keys(let parts, let target):
      parts.pack(
        head: head, kernel: kernel, layout: target.layout, into: target.head(head))
    }
  }
}
