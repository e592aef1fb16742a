package import AttentionKernels
package import MeshCore

/// The arithmetic of one worker's job: states of the hosted ranks and packed tiles of the windows.
/// It belongs to one thread; the work it hands out may be done on others.
package final class FoldEngine {
  package let plan: Plan
  package let kernel: AttentionKernel
  private let layout: PackedLayout
  private var ranks: [VRank: RankBuffers] = [:]
  private let packsAhead: Bool
  private var tiles: [Int: PackedKeyTile] = [:]
  private var partedTiles: [Int: PartedKeyTile] = [:]

  /// - Parameters:
  ///   - operands: what products multiply; bfloat16 is for tensors that are.
  ///   - packsAhead: whether K/V tiles are packed when they are given, or by those who fold them.
  package init(
    plan: Plan, kernel: AttentionKernel, operands: Operands = .float32, packsAhead: Bool = true
  ) {
    self.packsAhead = packsAhead
    self.plan = plan
    self.kernel = kernel
    layout = PackedLayout(headDimension: plan.job.headDimension, operands: operands)
  }

  /// Makes room for a virtual rank.
  package func host(_ vrank: VRank) {
    ranks[vrank] = RankBuffers(plan: plan, vrank: vrank, layout: layout)
  }

  /// Frees the state of a virtual rank.
  package func retire(_ vrank: VRank) { ranks[vrank] = nil }

  /// Packs one part of a query tile: rows [heads][tokens][d] of its heads.
  package func packQueries(tile: Int, part: Int, payload: UnsafeRawBufferPointer) {
    let vrank = plan.holder(ofQueryTile: tile)
    guard let rank = ranks[vrank], let base = payload.baseAddress,
      let place = rank.place(of: tile)
    else { return }
    precondition(payload.count == plan.payloadBytes(of: .query(tile), part: part))
    let rows = plan.queryRows(of: tile).count
    let headBytes = rows * plan.job.headDimension * plan.job.element.byteCount
    for (index, head) in plan.heads(.query, part: part).enumerated() {
      kernel.packQueries(
        rows: base + index * headBytes, type: plan.job.element, rowCount: rows,
        scale: Double(plan.job.scale), layout: layout,
        into: rank.queries(rank.item(head: head, place: place)))
    }
  }

  /// Takes the next part of a K/V tile: keys [heads][tokens][d] of its heads, then values.
  ///
  /// - Parameter owner: of the payload, which doesn't change while it lives; nil to have it copied
  ///   where it is needed for longer.
  package func packKeys(
    tile: Int, part: Int, payload: UnsafeRawBufferPointer,
    owner: (any AnyObject & Sendable)? = nil
  ) {
    guard let base = payload.baseAddress else { return }
    precondition(payload.count == plan.payloadBytes(of: .keyValue(tile), part: part))
    guard packsAhead else {
      return partedTiles[tile, default: PartedKeyTile(plan: plan, tile: tile)]
        .add(payload, owner: owner)
    }
    let packed = tiles[tile] ?? PackedKeyTile(plan: plan, tile: tile, layout: layout)
    tiles[tile] = packed
    let headBytes = packed.keys.count * plan.job.headDimension * plan.job.element.byteCount
    for (index, head) in plan.heads(.keyValue, part: part).enumerated() {
      kernel.packTile(
        keys: base + index * headBytes, values: base + payload.count / 2 + index * headBytes,
        type: plan.job.element, keyCount: packed.keys.count, layout: layout,
        into: packed.head(head))
    }
  }

  /// Whether a K/V tile is packed here as it is there, bit for bit.
  package func hasEqualTile(_ tile: Int, to other: FoldEngine) -> Bool {
    guard let mine = tiles[tile], let its = other.tiles[tile] else { return false }
    return mine.hasEqualBits(as: its)
  }

  /// Frees a packed K/V tile.
  package func unpack(_ tile: Int) {
    tiles[tile] = nil
    partedTiles[tile] = nil
  }

  /// The work of folding the packed tiles of steps into a rank.
  package func fold(_ vrank: VRank, steps: Range<Int>) -> FoldWork {
    guard let rank = ranks[vrank] else { preconditionFailure("rank \(vrank) isn't hosted") }
    func all<Tile>(_ tiles: [Int: Tile]) -> [Tile] {
      plan.neededKeyTiles(of: vrank)[steps].map { tile in
        guard let tile = tiles[tile] else { preconditionFailure("tile \(tile) isn't packed") }
        return tile
      }
    }
    return FoldWork(
      vrank: vrank, steps: steps, kernel: kernel, rank: rank,
      keys: packsAhead ? .packed(all(tiles)) : .parted(all(partedTiles)))
  }

  /// The running state of a hosted rank: for copies at tile boundaries, and to go on from one.
  package func state(of vrank: VRank) -> RankState? {
    ranks[vrank].map { RankState(vrank: vrank, rank: $0) }
  }

  /// The work of normalising a rank whose last tile is folded.
  package func finish(_ vrank: VRank) -> RankResult {
    guard let rank = ranks[vrank]?.withoutQueries() else {
      preconditionFailure("rank \(vrank) isn't hosted")
    }
    ranks[vrank] = rank
    return RankResult(rank: rank, kernel: kernel)
  }
}
