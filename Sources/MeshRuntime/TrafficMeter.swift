internal import MeshCore

/// Adds up counters that begin anew with each job, so that the sums only ever grow.
struct TrafficMeter {
  /// Of all workers together, and of each by name.
  private(set) var total = Traffic()
  private(set) var byWorker: [String: Traffic] = [:]
  private(set) var tilesFolded = 0
  private(set) var recoveries: [RestoreTier: Int] = [:]
  private var runs: [JobID: Run] = [:]

  /// What was last counted of a job.
  private struct Run {
    var next: [Int] = []
    var traffic: [WorkerID: Traffic] = [:]
    /// Epochs of the recoveries that were counted.
    var restored: Set<Epoch> = []
  }

  /// - Parameter present: names of workers whose counters stay whatever their number.
  mutating func note(_ runs: [CoordinatorSnapshot.RunSnapshot], present: Set<String>) {
    for run in runs { note(run) }
    self.runs = self.runs.filter { known in runs.contains { $0.job == known.key } }
    guard byWorker.count > Limits.meteredWorkersMaximum else { return }
    byWorker = byWorker.filter { present.contains($0.key) }
  }

  private mutating func note(_ run: CoordinatorSnapshot.RunSnapshot) {
    var known = runs[run.job] ?? Run()
    for (rank, next) in run.next.enumerated() {
      let before = known.next.indices.contains(rank) ? known.next[rank] : 0
      // A rank that went back folds again what it had folded.
      tilesFolded += max(0, next - before)
    }
    known.next = run.next
    for (worker, name, traffic) in run.traffic {
      let before = known.traffic[worker]
      let growth = traffic.growth(since: before)
      known.traffic[worker] = traffic.remembered(after: before)
      total.add(growth)
      byWorker[name, default: Traffic()].add(growth)
    }
    for recovery in run.recoveries {
      guard let tier = recovery.restored?.tier else { continue }
      if known.restored.insert(recovery.epoch).inserted { recoveries[tier, default: 0] += 1 }
    }
    runs[run.job] = known
  }
}

extension Traffic {
  /// Whether these counters began anew.
  private func isReset(since before: Traffic) -> Bool {
    tileBytes < before.tileBytes || inputBytes < before.inputBytes
      || resultBytes < before.resultBytes || copyBytes < before.copyBytes
      || computeSeconds < before.computeSeconds
  }

  /// What was counted since.
  func growth(since before: Traffic?) -> Traffic {
    guard let before, !isReset(since: before) else { return self }
    var growth = Traffic()
    growth.tileBytes = tileBytes - before.tileBytes
    growth.inputBytes = inputBytes - before.inputBytes
    growth.resultBytes = resultBytes - before.resultBytes
    growth.copyBytes = copyBytes - before.copyBytes
    growth.dropped = max(0, dropped - before.dropped)
    growth.computeSeconds = computeSeconds - before.computeSeconds
    growth.waitSeconds = max(0, waitSeconds - before.waitSeconds)
    return growth
  }

  /// Waiting is what is left of the time when computing is taken off, and so may seem to shrink: what
  /// was counted once isn't counted again.
  func remembered(after before: Traffic?) -> Traffic {
    guard let before, !isReset(since: before) else { return self }
    var traffic = self
    traffic.waitSeconds = max(waitSeconds, before.waitSeconds)
    traffic.dropped = max(dropped, before.dropped)
    return traffic
  }

  /// A worker may tell any number: sums stay where they are rather than overflow.
  mutating func add(_ other: Traffic) {
    tileBytes = sum(tileBytes, other.tileBytes)
    inputBytes = sum(inputBytes, other.inputBytes)
    resultBytes = sum(resultBytes, other.resultBytes)
    copyBytes = sum(copyBytes, other.copyBytes)
    dropped = sum(dropped, other.dropped)
    computeSeconds = sum(computeSeconds, other.computeSeconds)
    waitSeconds = sum(waitSeconds, other.waitSeconds)
  }
}

private func sum(_ left: Int, _ right: Int) -> Int {
  let (sum, overflow) = left.addingReportingOverflow(max(0, right))
  return overflow ? left : sum
}

private func sum(_ left: Double, _ right: Double) -> Double {
  let sum = left + max(0, right)
  return sum.isFinite ? sum : left
}
