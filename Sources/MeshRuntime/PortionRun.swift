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

  /// Folds all K/V tiles that the rank needs.
  ///
  /// - Parameter goOn: told the tiles folded; throws to end it.
  func fold(_ goOn: (Int) throws -> Void) throws {
    try goOn(0)
    try ProgramRun(plan: plan, vranks: [rank], engine: engine)
      .run(on: pool, source: read) { try goOn($0.step + 1) }
  }

  /// Reads one part of a tile.
  private func read(
    _ tile: TileID, _ part: Int, _ take: (UnsafeRawBufferPointer) -> Void
  ) throws {
    let payload = UnsafeMutableRawBufferPointer.allocate(
      byteCount: plan.payloadBytes(of: tile, part: part), alignment: 64)
    defer { payload.deallocate() }
    var start = 0
    for run in plan.inputRuns(of: tile, part: part) {
      let target = UnsafeMutableRawBufferPointer(rebasing: payload[start..<start + run.count])
      try inputs.read(run.tensor, at: first(run.tensor) + run.offset, into: target)
      start += run.count
    }
    take(UnsafeRawBufferPointer(payload))
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
    pool.perform(result)
    for (message, place) in plan.resultMessages(of: rank).enumerated() {
      let payload = result.payload(message)
      var start = 0
      for run in plan.outputRuns(place.tile, part: place.part) {
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
