import AttentionKernels
import ElementTypes
import FoldEngine
import MeshCore
import MeshSimulation
import Testing

/// Gradients on a mesh: whatever the strategy, the mask, the number of workers and the order of messages, they
/// have the bits of the pass in one process.
@Suite struct GradientMeshTests {
  @Test(arguments: 0..<400)
  func randomJobs(seed: UInt64) throws {
    let job = GradientJob(seed: seed)
    let expected = try job.alone()
    let outcome = try #require(job.run(order: seed % 2 == 0 ? nil : seed), "\(job)")
    #expect(outcome.breach == nil, "\(job): \(outcome.breach ?? "")")
    for (place, tensor) in job.spec.outputTensors.enumerated() {
      #expect(outcome.tensors.results[place] == expected[place], "\(job): \(tensor)")
      #expect(
        outcome.status.resultDigests.count == 3
          && outcome.status.digest(of: tensor) == outcome.status.resultDigests[place])
    }
  }
}

extension SeedTests {
  /// All that befalls a mesh in seeds, while it computes gradients: nothing but memory protects them, and where it is
  /// lost with what it protects they may wait without end.
  @Test("gradients in a thousand seeds keep every invariant")
  func gradients() async {
    let shapes = JobShapes()
    await withTaskGroup(of: Void.self) { group in
      for half in UInt64(0)..<2 {
        group.addTask {
          for seed in stride(from: half, to: UInt64(1_000 * soakFactor), by: 2) {
            var options = SimulationOptions(seed: seed)
            options.hasSlots = false
            let shape =
              JobShapes.differentiated + Int(seed % UInt64(JobShapes.masked + JobShapes.count))
            let outcome = Simulation(options, job: shapes[shape]).run()
            if let violation = outcome.violation, violation.invariant != .liveness {
              Issue.record("seed \(seed): \(violation.description)")
            }
          }
        }
      }
    }
  }
}

/// A random configuration of attention, differentiated.
struct GradientJob: CustomStringConvertible {
  let configuration: Configuration
  let spec: AttentionJob
  let tensors: MemoryTensors

  init(seed: UInt64) {
    var configuration = Configuration(seed: seed)
    let attention = configuration.tensors
    configuration.job.layout = .contiguous
    let forward = configuration.alone.run()
    var job = configuration.job
    var random = SplitMix64(seed: seed &+ 1_000)
    job.outputGradient = ElementType.allCases[random.below(3)]
    var inputs = attention.inputs
    inputs[.outputGradient] = (0..<job.byteCount(.outputGradient) / 2).flatMap { _ in
      // Finite in every type.
      [UInt8(truncatingIfNeeded: random.next()), UInt8(0x30 + random.below(16))]
    }
    inputs[.rowStatistics] = (forward?.tensors.logSumExpFloats ?? []).flatMap { logSumExp in
      [logSumExp * 1.442_695, Float(random.normal())].flatMap { value in
        withUnsafeBytes(of: value) { Array($0) }
      }
    }
    self.configuration = configuration
    spec = job
    tensors = MemoryTensors(job: job, inputs)
  }

  func run(order: UInt64? = nil) -> InProcessMesh.Outcome? {
    var mesh = InProcessMesh(
      workers: configuration.workers, kernel: AttentionKernel(), tensors: tensors, seed: order)
    return mesh.run(spec)
  }

  /// dQ, dK and dV of the pass in one process.
  func alone() throws -> [[UInt8]] {
    let statistics = RowStatistics(job: spec)
    tensors[.rowStatistics].withUnsafeBytes { statistics.load($0, from: 0) }
    let run = GradientRun(
      job: spec, mask: spec.attentionMask(blocks: spec.blockMap(of: tensors[.blockMap])),
      keyHeads: 0..<spec.flatKeyValueHeads, kernel: AttentionKernel(), statistics: statistics,
      outputGradientType: spec.outputGradient ?? .float32)
    var results = tensors.results
    try run.run(
      on: CallingThread(),
      read: { source, heads, tokens in rows(source, heads, tokens) },
      take: { gradient, head, tokens, rows in
        let place = gradient == .query ? 0 : gradient == .key ? 1 : 2
        let length = gradient == .query ? spec.queryTokens : spec.keyTokens
        let start = (head * length + tokens.lowerBound) * spec.headDimension * 4
        results[place].replaceSubrange(start..<start + rows.count, with: rows)
      }, goOn: { _ in })
    return results
  }

  private func rows(
    _ source: GradientRun.Source, _ heads: Range<Int>, _ tokens: Range<Int>
  ) -> PartPayload {
    let (tensor, length): (InputTensor, Int) =
      switch source {
      case .query: (.query, spec.queryTokens)
      case .key: (.key, spec.keyTokens)
      case .value: (.value, spec.keyTokens)
      case .outputGradient: (.outputGradient, spec.queryTokens)
      }
    let type = source == .outputGradient ? spec.outputGradient ?? .float32 : spec.element
    let rowBytes = spec.headDimension * type.byteCount
    let bytes = heads.flatMap { head in
      tensors[tensor][
        (head * length + tokens.lowerBound) * rowBytes..<(head * length + tokens.upperBound)
          * rowBytes]
    }
    return bytes.withUnsafeBytes { PartPayload(copying: $0) }
  }

  var description: String { "gradients of \(configuration)" }
}
