internal import MeshCore
internal import MeshRuntime

/// The modelled runs: undisturbed and with one slow worker, in turn.
extension RingBench {
  /// The worker that is slowed: neither the first owner nor the last of the ring.
  private static let slowWorker = 1

  func measure(
    _ inputs: JobInputs, workers: Int, isCancelled: @escaping @Sendable () -> Bool,
    progress: (String) -> Void
  ) throws(MeshError) -> Case {
    var (even, slow): ([MeshTrial.Outcome], [MeshTrial.Outcome]) = ([], [])
    let trial = trial(inputs.spec, workers: workers, isCancelled: isCancelled)
    let slowTrial = slowed(trial, inputs.spec)
    for repetition in 0..<repetitions {
      even.append(try trial.run(inputs))
      slow.append(try slowTrial.run(inputs))
      progress("\(workers) workers, \(inputs.spec.mask.name): pair \(repetition + 1)")
    }
    let busy = even.map { busyFractions($0, workers: workers) }
    let delays = zip(even, slow).map { Self.lastOfOthers($1) / Self.lastOfOthers($0) - 1 }
    return Case(
      workers: workers, mask: inputs.spec.mask.name, layout: inputs.spec.layout.name,
      vranks: even[0].status.vrankCount,
      busyMean: Spread(busy.map { $0.reduce(0, +) / Double($0.count) }),
      busyLeast: Spread(busy.map { $0.min() ?? 0 }),
      wallSeconds: Spread(even.map(\.report.wallSeconds)), othersDelay: Spread(delays),
      slowWallSeconds: Spread(slow.map(\.report.wallSeconds)),
      tileBytesOverNeeded: Spread(even.map(\.report.sentOverNeeded)),
      ownCPUShare: Spread(even.map(\.usage.ownShare)),
      machineCPUShare: Spread(even.map(\.usage.machineShare)))
  }

  /// (query, key) pairs a second at which a worker's whole share of rows folds one tile in
  /// `foldSeconds`.
  private func pairsPerSecond(_ job: AttentionJob, workers: Int) -> Double {
    Double(job.queryTokens * job.flatQueryHeads * Plan.keyTileKeys) / Double(workers) / foldSeconds
  }

  private func trial(
    _ job: AttentionJob, workers: Int, isCancelled: @escaping @Sendable () -> Bool
  ) -> MeshTrial {
    let tileBytes = Plan(job: job, vrankCount: 1).payloadBytes(of: .keyValue(0))
    var trial = MeshTrial(workers: workers, isCancelled: isCancelled)
    trial.arguments = [
      "--model-pairs-per-second", "\(pairsPerSecond(job, workers: workers))",
      "--model-link-bytes-per-second", "\(Double(tileBytes) / (foldSeconds * transferShare))",
    ]
    return trial
  }

  /// The same, with one worker slower. The last of equal flags counts.
  private func slowed(_ trial: MeshTrial, _ job: AttentionJob) -> MeshTrial {
    var slow = trial
    slow.argumentsByWorker[Self.slowWorker] = [
      "--model-pairs-per-second",
      "\(pairsPerSecond(job, workers: trial.workers) / slowFactor)",
    ]
    return slow
  }

  /// Of each worker: the time that its folds are modelled to take, over the time from the start of
  /// the plan to its last fold.
  private func busyFractions(_ outcome: MeshTrial.Outcome, workers: Int) -> [Double] {
    let job = outcome.status.summary.spec
    let plan = Plan(job: job, vrankCount: outcome.status.vrankCount)
    let hosts = Plan.hosts(vranks: plan.vrankCount, workers: workers)
    var pairs = [Int](repeating: 0, count: workers)
    for vrank in plan.vranks {
      pairs[hosts[vrank.index]] += plan.visiblePairs(of: vrank) * job.flatQueryHeads
    }
    let rate = pairsPerSecond(job, workers: workers)
    return zip(pairs, outcome.finishSeconds).map { Double($0) / rate / max($1, 1e-9) }
  }

  /// When the last worker but the slow one folded its last tile.
  private static func lastOfOthers(_ outcome: MeshTrial.Outcome) -> Double {
    outcome.finishSeconds.enumerated().filter { $0.offset != slowWorker }.map(\.element).max() ?? 0
  }
}
