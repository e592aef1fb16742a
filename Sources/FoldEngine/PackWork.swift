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
    /// Rows of a job of gradients.
    case rows([PartPayload], into: BackwardRank, place: Int)
  }

  package var itemCount: Int {
    switch tile {
    case .none: 0
    case .queries(_, let rank, _): rank.heads.count
    case .keys(_, let target): target.heads.count
    case .rows(_, let rank, _): rank.heads.count
    }
  }

  /// Packs one head.
  package func perform(_ item: Int) {
    switch tile {
    case .none: preconditionFailure("there is no head \(item) to pack")
    case .queries(let parts, let rank, let place):
      let head = rank.heads.lowerBound + item
      let (part, index) = rank.plan.part(ofHead: head, in: .query(rank.queryTiles[place]))
      rank.packQueries(parts[part].bytes, index, head: head, place: place, kernel: kernel)
    case .keys(let parts, let target):
      let head = target.heads.lowerBound + item
      parts.pack(
        head: head, kernel: kernel, layout: target.layout, into: target.head(head))
    case .rows(let parts, let rank, let place):
      let head = rank.heads.lowerBound + item
      let tile = TileID.query(rank.queryTiles[place])
      let (part, index) = rank.plan.part(ofHead: head, in: tile)
      rank.pack(
        parts[part].bytes, index, of: rank.plan.heads(of: tile, part: part).count, head: head,
        place: place)
    }
  }
}

extension PackWork: ItemisedWork {
  package func perform(_ item: Int, scratch: FoldScratch) { perform(item) }
}
