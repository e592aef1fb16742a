package import MeshCore
package import MeshRuntime

/// The peak resident size of workers whose shard stays the same while the sequence grows with their
/// number: it must not grow with either.
package struct MemoryBench {
  package var workers = [2, 4, 8]
  package var tokensPerWorker = 4_096
  package var repetitions = 3
  package var mask = MaskRule.causal

  package init() {}

  package struct Case: Encodable, Sendable {
    package let workers: Int
    package let tokens: Int
    /// Of the worker with the largest peak, and of the average one.
    package let peakBytes: Spread
    package let meanBytes: Spread
    /// What admission promised that no worker would pass.
    package let workerBytesBound: Int
    package let wallSeconds: Spread
  }

  package struct Result: Encodable, Sendable {
    package let tokensPerWorker: Int
    package let mask: String
    package let cases: [Case]
    /// From the fewest workers to the most: of the largest peak, and of the mean one. Of more workers
    /// some loop is late more often, with what it hasn't taken in yet.
    package let growth: Double
    package let meanGrowth: Double
    package let findings: Findings
  }

  package func run(
    isCancelled: @escaping @Sendable () -> Bool, progress: (String) -> Void
  ) throws(MeshError) -> Result {
    var findings = Findings()
    var cases: [Case] = []
    for count in workers {
      let tokens = count * tokensPerWorker
      let tensors = try BenchTensors(
        BenchTensors.Shape(queryHeads: 9, keyHeads: 3, tokens: tokens, headDimension: 64),
        seed: UInt64(count))
      let inputs = try tensors.inputs(mask: mask)
      let expected = try tensors.digest(of: inputs, isCancelled: isCancelled)
      var outcomes: [MeshTrial.Outcome] = []
      for _ in 0..<repetitions {
        let outcome = try MeshTrial(workers: count, isCancelled: isCancelled).run(inputs)
        findings.expect(
          outcome.report.outputDigest == expected, "\(count) workers: other bits than one process")
        outcomes.append(outcome)
        progress(
          "\(count) workers: " + outcome.report.residentBytes.map(bytes).joined(separator: ", "))
      }
      cases.append(Self.summary(outcomes, workers: count, tokens: tokens))
    }
    for item in cases {
      findings.goals.append(
        Goal(
          "\(item.workers) workers: peak over admission's bound",
          item.peakBytes.highest / Double(item.workerBytesBound), atMost: 1))
    }
    let growth = cases[cases.count - 1].peakBytes.median / cases[0].peakBytes.median - 1
    let meanGrowth = cases[cases.count - 1].meanBytes.median / cases[0].meanBytes.median - 1
    findings.goals.append(Goal("growth of the largest peak", growth, atMost: 0.05))
    findings.goals.append(Goal("growth of the mean peak", meanGrowth, atMost: 0.05))
    return Result(
      tokensPerWorker: tokensPerWorker, mask: mask.name, cases: cases, growth: growth,
      meanGrowth: meanGrowth, findings: findings)
  }

  private static func summary(
    _ outcomes: [MeshTrial.Outcome], workers: Int, tokens: Int
  ) -> Case {
    let resident = outcomes.map(\.report.residentBytes)
    return Case(
      workers: workers, tokens: tokens,
      peakBytes: Spread(resident.map { Double($0.max() ?? 0) }),
      meanBytes: Spread(resident.map { Double($0.reduce(0, +)) / Double(max(1, $0.count)) }),
      workerBytesBound: outcomes[0].report.workerBytesBound,
      wallSeconds: Spread(outcomes.map(\.report.wallSeconds)))
  }
}
