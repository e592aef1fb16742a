package import AttentionKernels
package import Checksums
internal import FoldEngine
package import MeshCore
internal import ZeroMQ

/// Attention in this process alone: the same plan, engine and order of folds as on a mesh, without a
/// mesh; in portions, so that memory doesn't grow with the sequence.
package struct InProcessAttention {
  private let inputs: JobInputs
  private let portions: Portions
  private let kernel: AttentionKernel
  private let pool: ComputePool

  /// - Parameter portions: how the job is cut, as `InProcessAdmission` found that it fits.
  package init(
    inputs: JobInputs, kernel: AttentionKernel, threads: Int, portions: Portions? = nil
  ) throws {
    self.inputs = inputs
    self.portions = portions ?? Portions(of: inputs.spec, blocks: inputs.blocks)
    self.kernel = kernel
    pool = try ComputePool(threads: threads, nice: 0)
  }

  /// What a run took.
  package struct Outcome: Sendable {
    /// From the first tile read to the last row written.
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
    let hasher = SHA256()
    let ranges = portions.headRanges
    let total = ranges.reduce(0) { $0 + tiles(portions.plan(of: $1)) }
    var before = 0
    for heads in ranges {
      let plan = portions.plan(of: heads)
      let engine = FoldEngine(plan: plan, kernel: kernel)
      for rank in plan.vranks {
        let portion = PortionRun(
          inputs: inputs, plan: plan, heads: heads, keyHeads: portions.keyHeads(of: heads),
          rank: rank, engine: engine, pool: pool)
        try portion.fold { folded in
          if isCancelled() { throw MeshError(.interrupted, "interrupted") }
          if deadlineSeconds > 0, (MonotonicClock.now - start).seconds >= deadlineSeconds {
            throw MeshError(
              .jobFailed,
              "the deadline of \(deadlineSeconds) s passed at K/V tile \(before + folded) of \(total)"
            )
          }
          progress(before + folded, total)
        }
        try portion.finish(into: files) { hasher.update($0) }
        before += plan.steps(of: rank).count
      }
    }
    try inputs.checkUnchanged()
    return Outcome(
      wallSeconds: (MonotonicClock.now - start).seconds, computeSeconds: pool.busySeconds,
      outputDigest: hasher.finish())
  }

  private func tiles(_ plan: Plan) -> Int {
    plan.vranks.reduce(0) { $0 + plan.steps(of: $1).count }
  }
}
