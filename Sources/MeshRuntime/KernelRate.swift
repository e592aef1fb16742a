package import AttentionKernels
internal import FoldEngine
package import MeshCore
internal import ZeroMQ

/// How fast this machine folds, found by folding for a moment.
package struct KernelRate: Sendable {
  package let flopsPerSecond: Double
  /// That folded at once.
  package let threads: Int

  /// For how long.
  package static let seconds = 0.1
  private static let rowsPerThread = 4 * Plan.queryTileRows

  /// - Parameter job: whose head dimension is folded.
  package static func measure(
    _ job: AttentionJob, kernel: AttentionKernel, threads: Int
  ) throws(MeshError) -> KernelRate {
    do throws(ZeroMQError) {
      let pool = try ComputePool(threads: threads, nice: 0)
      defer { pool.stop() }
      return measure(sample(job, heads: threads), kernel, pool)
    } catch {
      throw MeshError(.badInput, "\(threads) threads can't be started: \(error.description)")
    }
  }

  /// One K/V tile, and for each thread a head with some rows.
  private static func sample(_ job: AttentionJob, heads: Int) -> AttentionJob {
    AttentionJob(
      batch: 1, queryHeads: heads, keyValueHeads: heads, queryTokens: rowsPerThread,
      keyTokens: Plan.keyTileKeys, headDimension: job.headDimension, element: .float32,
      mask: .full, scale: job.scale, layout: .contiguous)
  }

  private static func measure(
    _ job: AttentionJob, _ kernel: AttentionKernel, _ pool: ComputePool
  ) -> KernelRate {
    let plan = Plan(job: job, vrankCount: 1)
    let engine = FoldEngine(plan: plan, kernel: kernel)
    let rank = VRank(0)
    engine.host(rank)
    for tile in 0..<plan.queryTileCount { pack(.query(tile), engine) }
    pack(.keyValue(0), engine)
    /// Folds the tile into all rows so many times.
    func fold(_ times: Int) {
      for _ in 0..<times { pool.submit(engine.fold(rank, steps: 0..<1)) }
      pool.wait(unfinished: 0)
    }
    // Touches the memory, and gets the clock up.
    fold(2)
    let start = MonotonicClock.now
    var times = 0
    while (MonotonicClock.now - start).seconds < seconds {
      fold(8)
      times += 8
    }
    let wall = (MonotonicClock.now - start).seconds
    return KernelRate(
      flopsPerSecond: Double(times) * job.flops() / wall, threads: pool.threadCount)
  }

  /// Packs a tile of numbers about one.
  private static func pack(_ tile: TileID, _ engine: FoldEngine) {
    for part in 0..<engine.plan.partCount(tile.tensor) {
      let count = engine.plan.payloadBytes(of: tile, part: part) / 4
      let floats = UnsafeMutableBufferPointer<Float>.allocate(capacity: count)
      defer { floats.deallocate() }
      for index in 0..<count { floats[index] = Float(index &* 7_919 % 1_000) / 1_000 - 0.5 }
      engine.pack(tile, part: part, payload: UnsafeRawBufferPointer(floats))
    }
  }
}
