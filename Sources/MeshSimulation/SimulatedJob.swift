package import AttentionKernels
internal import AttentionMasks
internal import Checksums
package import MeshCore

/// A job with its inputs, and what has to come out of it: computed once, shared by all runs.
package final class SimulatedJob: Sendable {
  package let spec: AttentionJob
  package let inputs: MemoryTensors
  let kernel: AttentionKernel
  let digests: InputDigests
  /// What its block map says, if it has one.
  let blocks: BlockMap?
  private let parts: StoredParts
  /// The undisturbed run of one worker; nil where nobody compares with it.
  package let oracle: Oracle?

  package init(
    spec: AttentionJob, inputs: MemoryTensors, kernel: AttentionKernel, hasOracle: Bool = true
  ) {
    self.spec = spec
    self.inputs = inputs
    self.kernel = kernel
    digests = inputs.digests
    blocks = spec.blockMap(of: inputs[.blockMap])
    let parts = StoredParts(Plan(job: spec, vrankCount: 1, blocks: blocks), inputs)
    self.parts = parts
    // What ranks publish depends on who hands on to whom.
    let vranks = spec.isBackward || spec.isRehearsal ? spec.vranks : 1
    let plan = Plan(job: spec, vrankCount: max(1, vranks), blocks: blocks)
    guard hasOracle else {
      oracle = nil
      return
    }
    oracle =
      spec.isRehearsal
      ? Oracle(rehearsing: plan, parts)
      : Oracle(plan: plan, kernel: kernel, parts, inputs)
  }

  /// Of a plan of the job, however it cuts the heads.
  func payload(of tile: TileID, part: Int, in plan: Plan) -> [UInt8] {
    parts.payload(of: tile, part: part, in: plan)
  }
}
