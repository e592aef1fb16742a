package import AttentionKernels
package import Checksums
internal import FoldEngine
internal import MeshCore
internal import Synchronization
internal import ZeroMQ

/// Attention in this process alone: the same plan, engine and order of folds as on a mesh, without a
/// mesh. Tiles are packed while earlier ones are folded.
package struct InProcessAttention {
  private let inputs: JobInputs
  private let plan: Plan
  private let engine: FoldEngine
  private let pool: ComputePool
  private let rank = VRank(0)

  package init(inputs: JobInputs, kernel: AttentionKernel, threads: Int) throws {
    self.inputs = inputs
    plan = Plan(job: inputs.spec, vrankCount: 1)
    engine = FoldEngine(plan: plan, kernel: kernel)
    pool = try ComputePool(threads: threads, nice: 0)
  }

  /// What a run took.
  package struct Outcome: Sendable {
    /// From the first tile read to the last fold.
    package let wallSeconds: Double
    package let computeSeconds: Double
    package let outputDigest: Digest
  }

  /// Computes the job and writes its result.
  ///
  /// - Parameters:
  ///   - progress: told the K/V tiles folded and to fold.
  ///   - deadlineSeconds: after which the run fails; 0 for none.
  ///   - isCancelled: asked between tiles.
  package func run(
    into files: borrowing ResultFiles, deadlineSeconds: Double = 0, progress: (Int, Int) -> Void,
    isCancelled: () -> Bool
  ) throws -> Outcome {
    defer { pool.stop() }
    let start = MonotonicClock.now
    engine.host(rank)
    let needed = plan.neededKeyTiles(of: rank)
    if needed > 0 { try loadQueries() }
    let folded = Monitor(0)
    progress(0, needed)
    var unpacked = 0
    for tile in 0..<needed {
      if isCancelled() { throw MeshError(.interrupted, "interrupted") }
      if deadlineSeconds > 0, (MonotonicClock.now - start).seconds >= deadlineSeconds {
        throw MeshError(
          .jobFailed,
          "the deadline of \(deadlineSeconds) s passed at K/V tile \(tile) of \(needed)")
      }
      try load(.keyValue(tile))
      let work = engine.fold(rank, tiles: tile..<tile + 1)
      pool.submit(itemCount: work.itemCount) {
        work.perform($0, scratch: $1)
      } completion: { _ in
        folded.update { $0 = tile + 1 }
      }
      folded.wait(until: { $0 + Limits.windowTiles > tile }, then: { _ in })
      let done = folded.read { $0 }
      for old in unpacked..<done { engine.unpack(old) }
      unpacked = done
      progress(done, needed)
    }
    try inputs.checkUnchanged()
    folded.wait(until: { $0 == needed }, then: { _ in })
    progress(needed, needed)
    let wall = (MonotonicClock.now - start).seconds
    let compute = pool.busySeconds
    let digest = try finish(into: files)
    return Outcome(wallSeconds: wall, computeSeconds: compute, outputDigest: digest)
  }

  private func loadQueries() throws {
    for tile in 0..<plan.queryTileCount { try load(.query(tile)) }
  }

  private func load(_ tile: TileID) throws {
    for part in 0..<plan.partCount(tile.tensor) {
      let payload = UnsafeMutableRawBufferPointer.allocate(
        byteCount: plan.payloadBytes(of: tile, part: part), alignment: 64)
      defer { payload.deallocate() }
      var start = 0
      for run in plan.inputRuns(of: tile, part: part) {
        let target = UnsafeMutableRawBufferPointer(rebasing: payload[start..<start + run.count])
        try inputs.read(run.tensor, at: run.offset, into: target)
        start += run.count
      }
      let bytes = UnsafeRawBufferPointer(payload)
      switch tile.tensor {
      case .query: engine.packQueries(tile: tile.index, part: part, payload: bytes)
      case .keyValue: engine.packKeys(tile: tile.index, part: part, payload: bytes)
      }
    }
  }

  private func finish(into files: borrowing ResultFiles) throws -> Digest {
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
        try files.write(
          run.tensor, at: run.offset,
          UnsafeRawBufferPointer(rebasing: payload[start..<start + run.count]))
        start += run.count
      }
    }
    return try outputDigest(result)
  }

  /// SHA-256 of the float32 output, row-major: heads are far apart in the messages.
  private func outputDigest(_ result: RankResult) throws -> Digest {
    let hasher = SHA256()
    for head in 0..<plan.job.flatQueryHeads {
      for tile in 0..<plan.queryTileCount {
        hasher.update(result.rows(queryTile: tile, head: head))
      }
    }
    return hasher.finish()
  }
}
