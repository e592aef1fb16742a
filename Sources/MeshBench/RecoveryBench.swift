internal import Glibc
internal import MeshCore
package import MeshRuntime

/// What the loss of a worker costs a job: runs in which one worker is killed between 30 and 70 % of
/// the way, and undisturbed ones in turn with them. Which worker and when is drawn from a seed.
package struct RecoveryBench {
  package var workers = 4
  /// Runs with a kill. An undisturbed one goes before every other of them.
  package var kills = 7
  package var seed: UInt64 = 1

  package init() {}

  package struct Result: Encodable, Sendable {
    package let tokens: Int
    package let shape: String
    package let workers: Int
    package let vranks: Int
    package let undisturbedSeconds: Spread
    package let killedSeconds: Spread
    package let killedOverUndisturbed: Double
    /// Wall time over that of giving up at the kill and starting anew.
    package let overRestart: Spread
    /// Of each lost virtual rank: tiles folded a second time, and those over the tiles that lie
    /// between two copies at the most, and over all that the rank folds.
    package let refoldedTiles: Spread
    package let refoldedMeanIntervals: Double
    package let refoldedMostIntervals: Double
    package let refoldedMostOfRank: Double
    /// From the finding of the loss until the new host has the state.
    package let restoreSeconds: Percentiles
    /// Copies that were seen of a virtual rank of an undisturbed run, of the one with the fewest.
    package let leastCopies: Int
    package let runs: [KilledRun]
    package let machineCPUShare: Spread
    package let findings: Findings
  }

  package func run(
    _ tensors: BenchTensors, isCancelled: @escaping @Sendable () -> Bool,
    progress: (String) -> Void
  ) throws(MeshError) -> Result {
    var findings = Findings()
    var random = SplitMix64(seed: seed)
    let inputs = try tensors.inputs(mask: .full)
    let expected = try tensors.digest(of: inputs, isCancelled: isCancelled)
    progress("one process: \(expected)")
    let trial = MeshTrial(workers: workers, isCancelled: isCancelled)
    var plain: [(outcome: MeshTrial.Outcome, copies: [Int])] = []
    var killed: [(outcome: MeshTrial.Outcome, run: KilledRun)] = []
    for index in 0..<kills {
      if index % 2 == 0 {
        var follower = JobFollower()
        let outcome = try trial.run(inputs) { status, _ in follower.note(status) }
        plain.append((outcome, follower.copies))
        progress("undisturbed: \(outcome.report.wallSeconds) s")
      }
      let share = 0.3 + 0.4 * random.unit()
      var kill = Kill(share: share, choice: random.next())
      let outcome = try trial.run(inputs) { kill.follow($0, $1) }
      let run = KilledRun(kill, outcome)
      killed.append((outcome, run))
      progress(
        "\(run.worker) killed at \(run.killedAtSeconds) s: \(run.wallSeconds) s, refolded"
          + " \(run.ranks.map(\.refolded)) tiles")
    }
    for outcome in plain.map(\.outcome) + killed.map(\.outcome) {
      findings.expect(outcome.report.outputDigest == expected, "other bits than one process")
    }
    for run in killed.map(\.run) {
      findings.expect(!run.ranks.isEmpty, "a run in which nothing was lost: too short a job")
    }
    guard findings.isVerified else {
      throw MeshError(
        .jobFailed, "nothing counts: \(findings.wrongResults.joined(separator: "; "))")
    }
    return result(inputs, plain, killed, findings)
  }

  private func result(
    _ inputs: JobInputs, _ plain: [(outcome: MeshTrial.Outcome, copies: [Int])],
    _ killed: [(outcome: MeshTrial.Outcome, run: KilledRun)], _ measured: Findings
  ) -> Result {
    var findings = measured
    let whole = Spread(plain.map(\.outcome.report.wallSeconds))
    let runs = killed.map(\.run)
    let ranks = runs.flatMap(\.ranks)
    let disturbed = Spread(runs.map(\.wallSeconds))
    let overRestart = Spread(
      runs.map { $0.wallSeconds / ($0.killedAtSeconds + whole.median) })
    let intervals = ranks.map { Double($0.refolded) / Double($0.intervalTiles) }
    let mean = intervals.reduce(0, +) / Double(intervals.count)
    let mostOfRank = ranks.map { Double($0.refolded) / Double($0.needed) }.max() ?? 0
    let leastCopies = plain.compactMap { $0.copies.min() }.min() ?? 0
    findings.goals = [
      Goal("killed / undisturbed, medians", disturbed.median / whole.median, atMost: 1.25),
      Goal("killed / (time of the kill + a whole run)", overRestart.highest, atMost: 0.85),
      Goal("tiles refolded of a lost rank, mean, in intervals", mean, atMost: 0.7),
      Goal("tiles refolded of a lost rank, most, in intervals", intervals.max() ?? 0, atMost: 2),
      Goal("tiles refolded of a lost rank, most, of all its tiles", mostOfRank, atMost: 0.25),
      Goal(
        "tiles refolded of other ranks", Double(runs.reduce(0) { $0 + $1.refoldedElsewhere }),
        atMost: 0),
      Goal("copies of a rank, least", Double(leastCopies), atLeast: 8),
    ]
    let spec = inputs.spec
    return Result(
      tokens: spec.queryTokens,
      shape: spec.shapeLine,
      workers: workers, vranks: plain[0].outcome.status.vrankCount, undisturbedSeconds: whole,
      killedSeconds: disturbed, killedOverUndisturbed: disturbed.median / whole.median,
      overRestart: overRestart, refoldedTiles: Spread(ranks.map { Double($0.refolded) }),
      refoldedMeanIntervals: mean, refoldedMostIntervals: intervals.max() ?? 0,
      refoldedMostOfRank: mostOfRank,
      restoreSeconds: Percentiles(ranks.compactMap(\.restoreSeconds)), leastCopies: leastCopies,
      runs: runs,
      machineCPUShare: Spread(
        (plain.map(\.outcome) + killed.map(\.outcome)).map(\.usage.machineShare)),
      findings: findings)
  }
}

extension SplitMix64 {
  /// A number from 0 up to, not including, 1.
  mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }
}
