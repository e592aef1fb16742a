package import AttentionKernels
package import MeshCore

/// The arithmetic of one worker's job: states of the hosted ranks and packed tiles of the windows.
/// It belongs to one thread; the work it hands out may be done on others, in the order in which it was
/// handed out: a fold reads what was packed before it.
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
  ///   - packsAhead: whether K/V tiles are packed before they are folded, or by those who fold them.
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

  /// Lets go of a virtual rank.
  ///
  /// - Returns: what holds its memory, nil if it isn't hosted. To free gigabytes takes long: whoever must not
  ///   be kept by it has another thread drop it.
  @discardableResult
  package func retire(_ vrank: VRank) -> (any Sendable)? { ranks.removeValue(forKey: vrank) }

  /// Lets go of the queries of a rank whose last tile is folded.
  ///
  /// - Returns: what holds their memory.
  package func dropRows(of vrank: VRank) -> (any Sendable)? {
    guard let rank = ranks[vrank] else { return nil }
    ranks[vrank] = rank.withoutQueries()
    return rank.queries
  }

  /// Takes a whole tile, K/V or queries: the packing of it is work that has to be done before folds
  /// that read it begin. K/V tiles that aren't packed ahead are kept as they came.
  package func pack(_ tile: TileID, _ parts: [PartPayload]) -> PackWork {
    PackWork(kernel: kernel, tile: take(tile, parts))
  }

  private func take(_ tile: TileID, _ parts: [PartPayload]) -> PackWork.Tile {
    precondition(
      parts.count == plan.partCount(tile.tensor)
        && parts.indices.allSatisfy {
          parts[$0].bytes.count == plan.payloadBytes(of: tile, part: $0)
        }, "\(tile) has other parts")
    switch tile.tensor {
    case .query:
      guard let (rank, place) = hosted(queryTile: tile.index) else { return .none }
      return .queries(parts, into: rank, place: place)
    case .keyValue:
      let parted = PartedKeyTile(plan: plan, tile: tile.index, parts: parts)
      guard packsAhead else {
        partedTiles[tile.index] = parted
        return .none
      }
      let packed = PackedKeyTile(plan: plan, tile: tile.index, layout: layout)
      tiles[tile.index] = packed
      return .keys(parted, into: packed)
    case .hidden, .partial, .gradient: preconditionFailure("\(tile) is none of attention")
    }
  }

  private func hosted(queryTile tile: Int) -> (RankBuffers, place: Int)? {
    guard let rank = ranks[plan.holder(ofQueryTile: tile)], let place = rank.place(of: tile) else {
      return nil
    }
    return (rank, place)
  }

  /// Packs one part of a tile at once: of queries rows [heads][tokens][d] of its heads, of K/V keys
  /// [heads][tokens][d], then values. Queries of a rank that isn't hosted are left out.
  ///
  /// - Precondition: K/V tiles are packed ahead.
  package func pack(_ tile: TileID, part: Int, payload: UnsafeRawBufferPointer) {
    precondition(payload.count == plan.payloadBytes(of: tile, part: part), "\(tile) is another one")
    switch tile.tensor {
    case .query: packQueries(tile.index, part, payload)
    case .keyValue: packKeys(tile.index, part, payload)
    case .hidden, .partial, .gradient: preconditionFailure("\(tile) is none of attention")
    }
  }

  private func packQueries(_ tile: Int, _ part: Int, _ payload: UnsafeRawBufferPointer) {
    guard let (rank, place) = hosted(queryTile: tile) else { return }
    for (index, head) in plan.heads(of: .query(tile), part: part).enumerated() {
      rank.packQueries(payload, index, head: head, place: place, kernel: kernel)
    }
  }

  private func packKeys(_ tile: Int, _ part: Int, _ payload: UnsafeRawBufferPointer) {
    guard let base = payload.baseAddress else { return }
    precondition(packsAhead, "K/V tile \(tile) is packed by those who fold it")
    let packed = tiles[tile] ?? PackedKeyTile(plan: plan, tile: tile, layout: layout)
    tiles[tile] = packed
    let headBytes = packed.keys.count * plan.job.headDimension * plan.job.element.byteCount
    for (index, head) in plan.heads(of: .keyValue(tile), part: part).enumerated() {
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

  /// Lets go of a packed K/V tile.
  ///
  /// - Returns: what holds its memory, nil if there is no such tile.
  @discardableResult
  package func unpack(_ tile: TileID) -> (any Sendable)? {
    packsAhead
      ? tiles.removeValue(forKey: tile.index) : partedTiles.removeValue(forKey: tile.index)
  }

  /// The work of folding the packed tiles of steps into a rank.
  package func fold(_ vrank: VRank, steps: Range<Int>) -> FoldWork {
    guard let rank = ranks[vrank] else { preconditionFailure("rank \(vrank) isn't hosted") }
    func all<Tile>(_ tiles: [Int: Tile]) -> [Tile] {
      steps.map { step in
        let index = rank.steps.tile(step)
        guard let tile = tiles[index] else { preconditionFailure("tile \(index) isn't packed") }
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
