internal import Glibc
internal import MeshCore
package import MeshRuntime

/// How soon a coordinator knows that a worker was killed, stopped, or hangs: real processes in the
/// middle of a job, one after the other, each stood in for by a new one. Folds are modelled, they
/// sleep, so that the figures tell of the detector and not of the load; beside it a probe tells how
/// late the machine wakes threads.
package struct FailoverBench {
  package var workers = 4
  package var kills = 100
  package var pauses = 30
  package var hangs = 30
  package var seed: UInt64 = 1
  /// What a fold of one tile takes in the model.
  package var foldSeconds = 0.05
  package var tiles = 64

  package init() {}

  package struct Result: Encodable, Sendable {
    package let workers: Int
    package let foldSeconds: Double
    /// From the signal, or from the moment a thread hung, until the coordinator said so.
    package let killSeconds: Percentiles
    package let pauseSeconds: Percentiles
    package let hangSeconds: Percentiles
    /// Of the workers that were stopped: those that took part again when they went on. The others
    /// were replaced.
    package let rejoined: Int
    /// By what was told as the reason.
    package let reasons: [String: Int]
    package let falseLosses: [String]
    package let probeSeconds: Percentiles
    package let machineCPUShare: Double
    package let findings: Findings
  }

  package func run(
    isCancelled: @escaping @Sendable () -> Bool, progress: @escaping (String) -> Void
  ) throws(MeshError) -> Result {
    let tensors = try BenchTensors(
      BenchTensors.Shape(
        queryHeads: 1, keyHeads: 1, tokens: tiles * Plan.keyTileKeys, headDimension: 64), seed: 1)
    let inputs = try tensors.inputs(mask: .full)
    var findings = Findings()
    let expected = try tensors.digest(of: inputs, isCancelled: isCancelled)
    let real = try MeshTrial(workers: workers, isCancelled: isCancelled).run(inputs)
    findings.expect(real.report.outputDigest == expected, "other bits than one process")
    progress("verified")
    let mark = CPUUsage.Mark()
    let probe = try WakeUpProbe()
    var rounds = try Rounds(self, inputs, isCancelled: isCancelled, progress: progress)
    do throws(MeshError) {
      defer { rounds.mesh.stop() }
      for index in 0..<kills { try rounds.kill(index) }
      for index in 0..<pauses { try rounds.pause(index) }
      for index in 0..<hangs { try rounds.hang(index, markedAt: tensors.scratchPath) }
    } catch {
      _ = probe.stop()
      throw error
    }
    return result(rounds, probe.stop(), mark.usage, findings)
  }

  private func result(
    _ rounds: Rounds, _ probe: Percentiles, _ usage: CPUUsage, _ measured: Findings
  ) -> Result {
    var findings = measured
    let (killed, paused, hung) = (
      Percentiles(rounds.killSeconds), Percentiles(rounds.pauseSeconds),
      Percentiles(rounds.hangSeconds)
    )
    let falseLosses = rounds.mesh.watch.falseLosses
    if killed.count > 0 {
      findings.goals.append(
        Goal("killed, found after, p99, s", killed.p99, atMost: 0.1 + probe.p99))
    }
    if paused.count > 0 {
      findings.goals.append(Goal("stopped, found after, p99, s", paused.p99, atMost: 1))
    }
    if hung.count > 0 {
      findings.goals.append(
        Goal("hung, found after, p99, s", hung.p99, atMost: max(2, 3 * foldSeconds)))
    }
    findings.goals.append(
      Goal("workers taken for lost that weren't", Double(falseLosses.count), atMost: 0))
    return Result(
      workers: workers, foldSeconds: foldSeconds, killSeconds: killed, pauseSeconds: paused,
      hangSeconds: hung, rejoined: rounds.rejoined, reasons: rounds.reasons,
      falseLosses: falseLosses, probeSeconds: probe, machineCPUShare: usage.machineShare,
      findings: findings)
  }

  /// (query, key) pairs a second at which one virtual rank's fold of one tile takes its time.
  var pairsPerSecond: Double {
    let vranks = Plan.defaultVrankCount(workers: workers)
    let rows = Double(tiles * Plan.keyTileKeys) / Double(vranks)
    return rows * Double(Plan.keyTileKeys) / foldSeconds
  }
}
