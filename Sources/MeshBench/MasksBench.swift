package import AttentionKernels
internal import MeshCore
package import MeshRuntime

/// Whether time and bytes follow the mask: a head on one thread, and bytes between workers of a local
/// mesh, each under masks that hide most pairs against plain causal of the same shape.
package struct MasksBench {
  /// Queries and keys of the head.
  package var tokens = 32_768
  /// Pairs of a mask and causal, measured in turn.
  package var repetitions = 7
  package var meshTokens = 16_384
  package var workers = 4

  package init() {}

  /// Keys that a query of a window sees, its own among them.
  static let windowKeys = 1_024
  /// What the first keys of a sequence are kept for, in the case with sinks.
  static let sinkTokens = 64
  static let window = MaskRule(isCausal: true, left: windowKeys - 1)

  /// One head under a mask.
  package struct HeadCase: Encodable, Sendable {
    package let mask: String
    package let seconds: Spread
    package let causalSeconds: Spread
    /// Of neighbours in time.
    package let overCausal: Spread
    /// (query, key) pairs that are seen, over those of causal.
    package let pairsOverCausal: Double
    package let rowsVerified: Int
  }

  /// One job on the mesh.
  package struct MeshCase: Encodable, Sendable {
    package let mask: String
    package let traffic: BytesBench.Case
    /// Bytes sent over those of the causal job in the same layout.
    package let sentOverCausal: Double
    /// (query, key) pairs that are seen, over those of causal.
    package let pairsOverCausal: Double
  }

  package struct Result: Encodable, Sendable {
    package let level: String
    package let tokens: Int
    package let heads: [HeadCase]
    package let meshTokens: Int
    package let tileBytes: Int
    package let meshes: [MeshCase]
    package let machineCPUShare: Double
    package let findings: Findings
  }

  package func run(
    level: KernelLevel, isCancelled: @escaping @Sendable () -> Bool, progress: (String) -> Void
  ) throws(MeshError) -> Result {
    var findings = Findings()
    let mark = CPUUsage.Mark()
    let heads = try measureHeads(
      AttentionKernel(level: level), &findings, isCancelled: isCancelled, progress: progress)
    let share = mark.usage.machineShare
    let tensors = try BenchTensors(Self.meshShape(tokens: meshTokens), seed: 1)
    let meshes = try measureMeshes(
      tensors, &findings, isCancelled: isCancelled, progress: progress)
    let job = try tensors.inputs(mask: .causal).spec
    return Result(
      level: level.name, tokens: tokens, heads: heads, meshTokens: meshTokens,
      tileBytes: Plan(job: job, vrankCount: 1).payloadBytes(of: .keyValue(0)), meshes: meshes,
      machineCPUShare: share, findings: findings)
  }
}
