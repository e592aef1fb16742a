package import AttentionKernels
package import MeshCore

/// The arithmetic of one worker's job: states of the hosted ranks and packed tiles of the windows.
/// It belongs to one thread; the work it hands out may be done on others.
package final class FoldEngine {
  package let plan: Plan
  package let kernel: AttentionKernel
  private let layout: PackedLayout
  private var ranks: [VRank: RankBuffers] = [:]
  private var tiles: [Int: PackedKeyTile] = [:]

  /// - Parameter operands: what products multiply; bfloat16 is for tensors that are.
  package init(plan: Plan, kernel: AttentionKernel, operands: Operands = .float32) {
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

  /// Packs one part of a K/V tile: keys [heads][tokens][d] of its heads, then values.
  package func packKeys(tile: Int, part: Int, payload: UnsafeRawBufferPointer) {
    guard let base = payload.baseAddress else { return }
    precondition(payload.count == plan.payloadBytes(of: .keyValue(tile), part: part))
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
  package func unpack(_ tile: Int) { tiles[tile] = nil }

  /// The work of folding packed tiles into a rank.
  package func fold(_ vrank: VRank, tiles range: Range<Int>) -> FoldWork {
    guard let rank = ranks[vrank] else { preconditionFailure("rank \(vrank) isn't hosted") }
    let packed = range.map { tile in
      guard let packed = tiles[tile] else { preconditionFailure("tile \(tile) isn't packed") }
      return packed
    }
    return FoldWork(vrank: vrank, tiles: range, kernel: kernel, rank: rank, packed: packed)
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
