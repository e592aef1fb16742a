package import MeshCore

/// How a run ended.
package struct SimulationOutcome: Sendable {
  package let seed: UInt64
  package let violation: Violation?
  /// As last told to the client.
  package let status: JobStatus?
  /// Events that cores handled.
  package let delivered: Int
  /// Simulated seconds.
  package let seconds: Double
  /// Of everything that happened, in order: equal for equal runs.
  package let traceHash: UInt64
  package let coverage: Coverage
  /// Effects carried out: the places where a process can die.
  package let effectCount: Int
  package let tensors: MemoryTensors
  /// K/V payload bytes that went from worker to worker.
  package let tileBytes: Int
  /// The most that each worker held at a time.
  package let peaks: [WorkerAudit.Peaks]

  /// A job may legitimately fail when it lost too many workers at one rank.
  package var isPoisoned: Bool { status?.summary.state == .failed }
}

extension Simulation {
  var outcome: SimulationOutcome {
    var tensors = job.inputs
    files?.copy(into: &tensors)
    return SimulationOutcome(
      seed: options.seed, violation: ledger.violation, status: client.status,
      delivered: delivered, seconds: Double(now) / Double(Time.second), traceHash: trace.value,
      coverage: coverage, effectCount: effectCount, tensors: tensors, tileBytes: tileBytes,
      peaks: workers.map(\.audit.peaks))
  }

  /// Everybody has heard that the job is over.
  var isOver: Bool {
    guard let terminalAt, isCalm, now > terminalAt + 300 * Time.millisecond else { return false }
    return workers.allSatisfy { !$0.isAlive || ($0.core.run == nil && $0.job == nil) }
  }

  /// The time that was left after the faults has passed.
  func checkDeadline() {
    guard terminalAt != nil else {
      let state = client.status?.summary
      return ledger.fail(
        .liveness,
        "the job is \(state?.state.name ?? "not submitted"), \(state?.folded ?? 0) of"
          + " \(state?.total ?? 0) tiles folded,"
          + " \((now - (healedAt ?? 0)) / Time.second) s after the last fault")
    }
    for worker in workers where worker.isAlive && (worker.core.run != nil || worker.job != nil) {
      ledger.fail(.nothingLeft, "\(worker.name) still has the job that is over")
    }
  }

  /// I11: who heard that the job is over has removed its checkpoints.
  private func checkDisks() {
    for worker in workers where worker.isAlive && worker.wasToldOfEnd {
      if let file = worker.slots.files.first {
        ledger.fail(
          .nothingLeft,
          "\(worker.name) left a checkpoint of rank \(file.vrank), by process \(file.writer)")
      }
    }
  }

  /// I10: the bits; I7: only for the reason that there is may a job fail.
  func checkEnd() {
    guard let status = client.status, status.summary.state.isTerminal else {
      return ledger.fail(.liveness, "the mesh came to rest and the job isn't over")
    }
    if isOver { checkDisks() }
    guard let oracle = job.oracle else { return }
    if !oracle.isSound { ledger.fail(.statistics, "the oracle's maxima fall or a sum is infinite") }
    guard status.summary.state == .done else {
      let ended = workers.count { !$0.isAlive } + coverage[.path(.workerHung)]
      if !status.summary.reason.contains("workers in a row were lost") {
        ledger.fail(.oneEnd, "the job failed: \(status.summary.reason)")
      } else if ended < Limits.strikesMaximum {
        ledger.fail(.oneEnd, "\(ended) processes ended, and \(status.summary.reason)")
      }
      return
    }
    var tensors = job.inputs
    files?.copy(into: &tensors)
    for (place, right) in oracle.results.enumerated() where tensors.results[place] != right {
      ledger.fail(.bits, "\(job.spec.outputTensors[place]) differs")
    }
  }
}
