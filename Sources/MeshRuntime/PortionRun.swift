internal import ElementTypes
internal import FoldEngine
internal import MeshCore

/// One portion of a job in this process, from its first query to the last row of its result. Tiles are
/// packed while earlier ones are folded.
struct PortionRun {
  let inputs: JobInputs
  let plan: Plan
  /// Query heads of the job that are the plan's, and the K/V heads that they see.
  let heads: Range<Int>
  let keyHeads: Range<Int>
  let rank: VRank
  let engine: FoldEngine
  let pool: ComputePool

  /// K/V tiles to fold.
  var needed: Int { steps.count }

  /// Step i folds K/V tile `steps[i]`.
  private var steps: NeededTiles { plan.neededKeyTiles(of: rank) }

  /// Folds all tiles.
  ///
  /// - Parameter goOn: told the tiles folded; throws to end it.
  func fold(_ goOn: (Int) throws -> Void) throws {
    engine.host(rank)
    if needed > 0 {
      for tile in plan.queryTiles(of: rank) { try load(.query(tile)) }
    }
    let folded = Monitor(0)
    // What is being folded must be over before the tiles go.
    defer { pool.cancel() }
    var unpacked = 0
    let steps = steps
    for step in steps.indices {
      try goOn(unpacked)
      try load(.keyValue(steps[step]))
      let work = engine.fold(rank, steps: step..<step + 1)
      pool.submit(itemCount: work.itemCount) {
        work.perform($0, scratch: $1)
      } completion: { _ in
        folded.update { $0 = step + 1 }
      }
      folded.wait(until: { $0 + Limits.windowTiles > step }, then: { _ in })
      let done = folded.read { $0 }
      for old in unpacked..<done { engine.unpack(steps[old]) }
      unpacked = done
    }
    folded.wait(until: { $0 == needed }, then: { _ in })
    for old in unpacked..<needed { engine.unpack(steps[old]) }
    try goOn(needed)
  }

  private func load(_ tile: TileID) throws {
    for part in 0..<plan.partCount(tile.tensor) {
      let payload = UnsafeMutableRawBufferPointer.allocate(
        byteCount: plan.payloadBytes(of: tile, part: part), alignment: 64)
      defer { payload.deallocate() }
      var start = 0
      for run in plan.inputRuns(of: tile, part: part) {
        let target = UnsafeMutableRawBufferPointer(rebasing: payload[start..<start + run.count])
        try inputs.read(run.tensor, at: first(run.tensor) + run.offset, into: target)
        start += run.count
      }
      let bytes = UnsafeRawBufferPointer(payload)
      switch tile.tensor {
      case .query: engine.packQueries(tile: tile.index, part: part, payload: bytes)
      case .keyValue: engine.packKeys(tile: tile.index, part: part, payload: bytes)
      case .hidden, .partial: preconditionFailure("\(tile) is none of attention")
      }
    }
  }

  /// The first byte of the portion's heads in a tensor of the job.
  private func first(_ tensor: InputTensor) -> Int {
    let rowBytes = plan.job.headDimension * plan.job.element.byteCount
    return tensor == .query
      ? heads.lowerBound * plan.job.queryTokens * rowBytes
      : keyHeads.lowerBound * plan.job.keyTokens * rowBytes
  }

  /// Normalises the rows, writes them, and gives the float32 output to a digest in row-major order.
  func finish(into files: borrowing ResultFiles, digest: (UnsafeRawBufferPointer) -> Void) throws {
    let result = engine.finish(rank)
    let isDone = Monitor(false)
    pool.submit(itemCount: result.itemCount) { item, _ in
      result.perform(item)
    } completion: { _ in
      isDone.update { $0 = true }
    }
    isDone.wait(until: { $0 }, then: { _ in })
    for message in 0..<result.messageCount {
      let (tile, part) = plan.resultMessage(of: rank, message)
      let payload = result.payload(message)
      var start = 0
      for run in plan.outputRuns(queryTile: tile, part: part) {
        let rowBytes = run.tensor == .output ? plan.job.headDimension * 4 : 4
        try files.write(
          run.tensor, at: heads.lowerBound * plan.job.queryTokens * rowBytes + run.offset,
          UnsafeRawBufferPointer(rebasing: payload[start..<start + run.count]))
        start += run.count
      }
    }
    for head in 0..<heads.count {
      for tile in plan.queryTiles(of: rank) { digest(result.rows(queryTile: tile, head: head)) }
    }
    engine.retire(rank)
  }
}
