package import AttentionKernels
package import Checksums
internal import FoldEngine
internal import MeshCore
internal import ZeroMQ

/// The backward pass in this process alone: first of all rows the log-sum-exp and D, from a forward pass
/// that is given or computed, then head after head dQ, dK and dV.
package struct InProcessGradients {
  private let inputs: GradientInputs
  private let kernel: AttentionKernel
  private let pool: ComputePool
  private let keyHeadsAtOnce: Int
  private let portions: Portions

  /// What a run took.
  package struct Outcome: Sendable {
    package let wallSeconds: Double
    package let computeSeconds: Double
    /// SHA-256 of the SHA-256 of the rows of each head and tile of 64 queries or 256 keys, float32.
    package let queryDigest: Digest
    package let keyDigest: Digest
    package let valueDigest: Digest
  }

  /// - Parameter admission: that of the job.
  package init(
    inputs: GradientInputs, kernel: AttentionKernel, threads: Int, admission: GradientAdmission
  ) throws {
    self.inputs = inputs
    self.kernel = kernel
    keyHeadsAtOnce = admission.keyHeads
    portions = admission.forward.portions
    pool = try ComputePool(threads: threads, nice: 0)
  }

  /// Computes the gradients and writes them.
  ///
  /// - Parameters:
  ///   - progress: told what is done of which stage.
  ///   - isCancelled: asked between tiles.
  package func run(
    into files: borrowing GradientFiles, progress: (_ stage: String, Int, Int) -> Void,
    isCancelled: () -> Bool
  ) throws -> Outcome {
    defer { pool.stop() }
    let start = MonotonicClock.now
    let job = inputs.job.spec
    func goOn(_ stage: String, _ done: Int, _ total: Int) throws {
      if isCancelled() { throw MeshError(.interrupted, "interrupted") }
      progress(stage, done, total)
    }
    let statistics = RowStatistics(job: job)
    if inputs.hasForward {
      try readStatistics(statistics) { try goOn("rows", $0, $1) }
    } else {
      try computeStatistics(statistics) { try goOn("forward", $0, $1) }
    }
    let mask = job.attentionMask(blocks: inputs.job.blocks)
    var digests = GradientDigests(job)
    let heads = stride(from: 0, to: job.flatKeyValueHeads, by: keyHeadsAtOnce).map {
      $0..<min($0 + keyHeadsAtOnce, job.flatKeyValueHeads)
    }
    for (index, keyHeads) in heads.enumerated() {
      let run = GradientRun(
        job: job, mask: mask, keyHeads: keyHeads, kernel: kernel, statistics: statistics,
        outputGradientType: inputs.outputGradientType)
      let steps = run.stepCount
      try run.run(
        on: pool, read: inputs.rows,
        take: { gradient, head, tokens, rows in
          digests.add(gradient, head: head, tokens: tokens, rows)
          try files.write(gradient, head: head, tokens: tokens, rows)
        },
        goOn: { try goOn("backward", index * steps + $0.done, heads.count * steps) })
    }
    try files.write(sinkGradients: sinkGradients(statistics))
    try inputs.checkUnchanged()
    return Outcome(
      wallSeconds: (MonotonicClock.now - start).seconds, computeSeconds: pool.busySeconds,
      queryDigest: digests.digest(of: .query), keyDigest: digests.digest(of: .key),
      valueDigest: digests.digest(of: .value))
  }

  /// Of each query head, over all sequences.
  private func sinkGradients(_ statistics: RowStatistics) -> [Float] {
    let job = inputs.job.spec
    guard !job.logits.sinkLogits.isEmpty else { return [] }
    return (0..<job.queryHeads).map { head in
      (0..<job.batch).reduce(Float(0)) {
        $0
          + statistics.sinkGradient(
            ofHead: $1 * job.queryHeads + head, logit: job.logits.sinkLogits[head])
      }
    }
  }

  /// From O and LSE of a forward pass.
  private func readStatistics(
    _ statistics: RowStatistics, goOn: (Int, Int) throws -> Void
  ) throws {
    let job = inputs.job.spec
    let tiles = stride(from: 0, to: job.queryTokens, by: Plan.queryTileRows).map {
      $0..<min($0 + Plan.queryTileRows, job.queryTokens)
    }
    // Few heads at once: rows of a head lie together in the files.
    let heads = stride(from: 0, to: job.flatQueryHeads, by: Self.headsAtOnce).map {
      $0..<min($0 + Self.headsAtOnce, job.flatQueryHeads)
    }
    for (index, heads) in heads.enumerated() {
      for (place, rows) in tiles.enumerated() {
        try goOn(index * tiles.count + place, (job.flatQueryHeads + 7) / 8 * tiles.count)
        guard let (outputs, type) = try inputs.outputs(heads, rows),
          let logSumExp = try inputs.logSumExp(heads, rows)
        else { preconditionFailure("without a forward pass") }
        try submit(statistics, heads, rows, .init(outputs, type), logSumExp)
        pool.wait(unfinished: 2)
      }
    }
    pool.wait(unfinished: 0)
  }

  private static let headsAtOnce = 8

  private func submit(
    _ statistics: RowStatistics, _ heads: Range<Int>, _ rows: Range<Int>,
    _ outputs: RowStatisticsWork.Rows, _ logSumExp: [Float]
  ) throws {
    pool.submit(
      RowStatisticsWork(
        kernel, statistics, heads: heads, rows: rows, outputs: outputs,
        outputGradients: .init(
          try inputs.rows(.outputGradient, heads, rows), inputs.outputGradientType),
        logSumExp: logSumExp, logSumExpGradients: try inputs.logSumExpGradients(heads, rows)))
  }

  /// From a forward pass of which nothing else is kept.
  private func computeStatistics(
    _ statistics: RowStatistics, goOn: (Int, Int) throws -> Void
  ) throws {
    let ranges = portions.headRanges
    func steps(_ plan: Plan) -> Int { plan.vranks.reduce(0) { $0 + plan.steps(of: $1).count } }
    let total = ranges.reduce(0) { $0 + steps(portions.plan(of: $1)) }
    var before = 0
    for heads in ranges {
      let plan = portions.plan(of: heads)
      let engine = FoldEngine(plan: plan, kernel: kernel)
      for rank in plan.vranks {
        let portion = PortionRun(
          inputs: inputs.job, plan: plan, heads: heads, keyHeads: portions.keyHeads(of: heads),
          rank: rank, engine: engine, pool: pool)
        try portion.fold { try goOn(before + $0, total) }
        let result = engine.finish(rank)
        pool.perform(result)
        for tile in plan.queryTiles(of: rank) {
          for head in 0..<heads.count {
            let flat = heads.lowerBound + head
            try submit(
              statistics, flat..<flat + 1, plan.queryRows(of: tile),
              .init(PartPayload(result.rows(queryTile: tile, head: head), owner: result), .float32),
              result.logSumExp(queryTile: tile, head: head))
            pool.wait(unfinished: 8)
          }
        }
        pool.wait(unfinished: 0)
        engine.retire(rank)
        before += plan.steps(of: rank).count
      }
    }
  }
}
