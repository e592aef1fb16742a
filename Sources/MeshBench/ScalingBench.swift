internal import ElementTypes
internal import MeshCore
package import MeshRuntime

/// Two workers with one thread each against one worker with two threads, on one causal job: what
/// distribution costs where it can't help.
package struct ScalingBench {
  package var repetitions = 5

  package init() {}

  package struct Result: Encodable, Sendable {
    package let tokens: Int
    package let shape: String
    package let vranksOfTwo: Int
    package let oneWorkerSeconds: Spread
    package let twoWorkersSeconds: Spread
    /// Of the pairs, each run one after the other.
    package let ratio: Spread
    /// Of the two workers: bytes sent for tiles over those that had to cross.
    package let sentOverNeeded: Spread
    package let machineCPUShare: Spread
    package let findings: Findings
  }

  package func run(
    _ tensors: BenchTensors, isCancelled: @escaping @Sendable () -> Bool,
    progress: (String) -> Void
  ) throws(MeshError) -> Result {
    var findings = Findings()
    let inputs = try tensors.inputs(mask: .causal)
    let expected = try tensors.digest(of: inputs, isCancelled: isCancelled)
    let single = MeshTrial(workers: 1, threads: 2, isCancelled: isCancelled)
    let double = MeshTrial(workers: 2, threads: 1, isCancelled: isCancelled)
    var (one, two): ([MeshTrial.Outcome], [MeshTrial.Outcome]) = ([], [])
    for repetition in 0..<repetitions {
      // Who goes first changes, so that a machine that grows slower favours neither.
      if repetition % 2 == 0 { one.append(try single.run(inputs)) }
      two.append(try double.run(inputs))
      if repetition % 2 == 1 { one.append(try single.run(inputs)) }
      progress(
        "pair \(repetition + 1): \(one[repetition].report.wallSeconds) s,"
          + " \(two[repetition].report.wallSeconds) s")
    }
    for outcome in one + two {
      findings.expect(
        outcome.report.outputDigest == expected,
        "\(outcome.report.workers) workers: other bits than one process")
    }
    let ratio = Spread(zip(one, two).map { $1.report.wallSeconds / $0.report.wallSeconds })
    findings.goals.append(
      Goal("two workers × 1 thread over one worker × 2 threads", ratio.median, atMost: 1.15))
    let sent = Spread(two.map(\.report.sentOverNeeded))
    findings.goals.append(Goal("two workers: sent / needed", sent.median, atMost: 1.01))
    return Result(
      tokens: inputs.spec.queryTokens,
      shape: inputs.spec.shapeLine,
      vranksOfTwo: two[0].status.vrankCount,
      oneWorkerSeconds: Spread(one.map(\.report.wallSeconds)),
      twoWorkersSeconds: Spread(two.map(\.report.wallSeconds)), ratio: ratio,
      sentOverNeeded: sent, machineCPUShare: Spread((one + two).map(\.usage.machineShare)),
      findings: findings)
  }
}
