package import AttentionKernels
package import MeshCore

/// The arithmetic of one worker's job of gradients: rows of the hosted ranks, and tiles of the windows as they
/// came. It belongs to one thread; the work it hands out may be done on others, in the order in which it was
/// handed out.
package final class BackwardEngine {
  package let plan: Plan
  private let kernel: AttentionKernel
  private let layout: PackedLayout
  private var ranks: [VRank: BackwardRank] = [:]
  private var tiles: [TileID: [PartPayload]] = [:]

  /// - Precondition: the plan is that of a job of gradients.
  package init(plan: Plan, kernel: AttentionKernel) {
    precondition(plan.job.isBackward)
    self.plan = plan
    self.kernel = kernel
    layout = PackedLayout(headDimension: plan.job.headDimension)
  }

  package func host(_ vrank: VRank) {
    ranks[vrank] = BackwardRank(plan: plan, vrank: vrank, kernel: kernel, layout: layout)
  }

  private func rank(_ vrank: VRank) -> BackwardRank {
    guard let rank = ranks[vrank] else { preconditionFailure("rank \(vrank) isn't hosted") }
    return rank
  }

  private func parts(of tile: TileID) -> [PartPayload] {
    guard let parts = tiles[tile], parts.count == plan.partCount(tile.tensor) else {
      preconditionFailure("\(tile) isn't packed")
    }
    return parts
  }

  private func step(_ step: Int, of rank: BackwardRank) -> BackwardWork.Step {
    guard let published = rank.steps.publishes(step) else {
      preconditionFailure("step \(step) of rank \(rank.vrank) publishes nothing")
    }
    let keys = rank.steps.tile(step)
    let previous = rank.steps.reads(step).first { $0.tensor == .partial }
    return BackwardWork.Step(
      keys: PartedKeyTile(plan: plan, tile: keys, parts: parts(of: .keyValue(keys))),
      previous: previous.map { ($0, parts(of: $0)) }, publishes: published,
      output: AlignedBuffer(count: plan.payloadBytes(of: published) / 4))
  }

  private func work(_ rank: BackwardRank, _ steps: Range<Int>, isReplay: Bool) -> BackwardWork {
    BackwardWork(
      kernel: kernel, rank: rank, numbers: steps, steps: steps.map { step($0, of: rank) },
      isReplay: isReplay)
  }
}

extension BackwardEngine: RankEngine {
  @discardableResult
  package func retire(_ vrank: VRank) -> (any Sendable)? { ranks.removeValue(forKey: vrank) }

  package func dropRows(of vrank: VRank) -> (any Sendable)? {
    guard let rank = ranks[vrank] else { return nil }
    ranks[vrank] = rank.withoutRows()
    return rank.operands
  }

  package func pack(_ tile: TileID, _ parts: [PartPayload]) -> PackWork {
    guard tile.tensor == .query else {
      tiles[tile] = parts
      return PackWork(kernel: kernel, tile: .none)
    }
    guard let rank = ranks[plan.holder(ofQueryTile: tile.index)],
      let place = rank.place(of: tile.index)
    else { return PackWork(kernel: kernel, tile: .none) }
    return PackWork(kernel: kernel, tile: .rows(parts, into: rank, place: place))
  }

  @discardableResult
  package func unpack(_ tile: TileID) -> (any Sendable)? { tiles.removeValue(forKey: tile) }

  package func work(of vrank: VRank, steps: Range<Int>) -> BackwardWork {
    work(rank(vrank), steps, isReplay: false)
  }

  package func replay(_ tile: TileID) -> BackwardWork {
    let rank = rank(plan.owner(of: tile))
    guard let step = rank.steps.step(publishing: tile) else {
      preconditionFailure("nobody publishes \(tile)")
    }
    return work(rank, step..<step + 1, isReplay: true)
  }

  package func state(of vrank: VRank) -> RankState? {
    ranks[vrank].map { RankState(vrank: vrank, rank: $0) }
  }

  package func finish(_ vrank: VRank, kept: [PartPayload]) -> RankResult {
    let rank = rank(vrank).withoutRows()
    ranks[vrank] = rank
    return RankResult(rank: rank, kernel: kernel, kept: kept)
  }
}

extension BackwardEngine: ProgramEngine {
  package func pack(_ tile: TileID, part: Int, payload: UnsafeRawBufferPointer) {
    guard tile.tensor == .query else {
      if part == 0 { tiles[tile] = [] }
      tiles[tile, default: []].append(PartPayload(copying: payload))
      return
    }
    guard let rank = ranks[plan.holder(ofQueryTile: tile.index)],
      let place = rank.place(of: tile.index)
    else { return }
    let heads = plan.heads(of: tile, part: part)
    for (index, head) in heads.enumerated() {
      rank.pack(payload, index, of: heads.count, head: head, place: place)
    }
  }
}
