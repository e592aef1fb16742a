internal import MeshCore
package import MeshRuntime

/// What all provision for failures costs a job in which nothing fails: heartbeats, copies in other
/// workers' memory and checkpoints on disk, against none of them.
package struct ProtectionBench {
  package var workers = 4
  package var repetitions = 7

  package init() {}

  package struct Result: Encodable, Sendable {
    package let tokens: Int
    package let shape: String
    package let workers: Int
    /// Processor time of the coordinator and all workers.
    package let protectedCPUSeconds: Spread
    package let plainCPUSeconds: Spread
    package let cpuRatio: Spread
    package let protectedWallSeconds: Spread
    package let plainWallSeconds: Spread
    package let wallRatio: Spread
    /// Of a protected run: bytes of copies to other workers.
    package let copyBytes: Spread
    package let machineCPUShare: Spread
    package let findings: Findings
  }

  package func run(
    _ tensors: BenchTensors, isCancelled: @escaping @Sendable () -> Bool,
    progress: (String) -> Void
  ) throws(MeshError) -> Result {
    var findings = Findings()
    let inputs = try tensors.inputs(mask: .full)
    let expected = try tensors.digest(of: inputs, isCancelled: isCancelled)
    progress("one process: \(expected)")
    let trial = MeshTrial(workers: workers, isCancelled: isCancelled)
    var plainTrial = trial
    plainTrial.isProtected = false
    var (on, off): ([MeshTrial.Outcome], [MeshTrial.Outcome]) = ([], [])
    for repetition in 0..<repetitions {
      // Who goes first changes, so that a machine that grows slower favours neither.
      if repetition % 2 == 0 { on.append(try trial.run(inputs)) }
      off.append(try plainTrial.run(inputs))
      if repetition % 2 == 1 { on.append(try trial.run(inputs)) }
      progress(
        "pair \(repetition + 1): CPU \(on[repetition].usage.ownSeconds) s,"
          + " \(off[repetition].usage.ownSeconds) s; wall \(on[repetition].report.wallSeconds) s,"
          + " \(off[repetition].report.wallSeconds) s")
    }
    for outcome in on + off {
      findings.expect(
        outcome.report.outputDigest == expected,
        "protection \(outcome.status.protection.name): other bits than one process")
      findings.expect(outcome.status.recoveries.isEmpty, "a worker was lost")
    }
    let cpu = Spread(zip(on, off).map { $0.usage.ownSeconds / $1.usage.ownSeconds })
    let wall = Spread(zip(on, off).map { $0.report.wallSeconds / $1.report.wallSeconds })
    findings.goals = [
      Goal("CPU time, protected / not", cpu.median, atMost: 1.03),
      Goal("wall time, protected / not", wall.median, atMost: 1.03),
    ]
    let spec = inputs.spec
    return Result(
      tokens: spec.queryTokens,
      shape: spec.shapeLine,
      workers: workers, protectedCPUSeconds: Spread(on.map(\.usage.ownSeconds)),
      plainCPUSeconds: Spread(off.map(\.usage.ownSeconds)), cpuRatio: cpu,
      protectedWallSeconds: Spread(on.map(\.report.wallSeconds)),
      plainWallSeconds: Spread(off.map(\.report.wallSeconds)), wallRatio: wall,
      copyBytes: Spread(on.map { Double($0.report.bytesSent["copies"] ?? 0) }),
      machineCPUShare: Spread((on + off).map(\.usage.machineShare)), findings: findings)
  }
}
