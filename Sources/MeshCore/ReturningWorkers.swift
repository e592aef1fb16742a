/// Workers that an earlier coordinator had and that haven't come back yet: whoever died meanwhile is told
/// of as lost, whether a job runs or not.
struct ReturningWorkers: Sendable {
  private var workers: [WorkerStatus] = []
  /// When all should be back.
  private(set) var until: Duration = .zero

  /// As they were.
  var all: [WorkerStatus] { workers }

  mutating func expect(_ workers: [WorkerStatus], until end: Duration) {
    self.workers = Array(workers.prefix(Limits.workersMaximum))
    until = end
  }

  /// One of this name is here.
  mutating func forget(_ name: String) { workers.removeAll { $0.name == name } }

  /// No longer waits for a worker.
  mutating func take(_ worker: WorkerID) -> WorkerStatus? {
    workers.firstIndex { $0.worker == worker }.map { workers.remove(at: $0) }
  }

  /// The coordinator was stopped itself, and has heard nobody.
  mutating func postpone(by lag: Duration) { until += lag }
}

extension Coordinator {
  /// Workers that are here or may come back, and those that were lost, the last ones last: for the next
  /// coordinator on the same store.
  package func knownWorkers(at now: Duration) -> [WorkerStatus] {
    workerList(at: now) + returning.all + lost.told(at: now).reversed()
  }

  /// Takes up what an earlier coordinator knew of its workers.
  mutating func restore(_ workers: [WorkerStatus], at now: Duration) {
    for status in workers {
      guard let loss = status.loss else { continue }
      // A clock that was set back makes nobody lost in the future.
      let age = Duration.seconds(max(0, configuration.wallSeconds - loss.at))
      if age < Limits.lostWorkersKept { lost.note(status, at: now - age) }
    }
    returning.expect(workers.filter { $0.loss == nil }, until: now + Limits.rejoinTimeout)
  }

  /// Workers that had their time to come back are lost. Who takes part in the job that runs may have
  /// longer.
  mutating func expireReturning(at now: Duration, into effects: inout [Effect]) {
    guard now >= returning.until else { return }
    let awaited = activeIndex.flatMap { jobs[$0].run?.awaited } ?? [:]
    for status in returning.all where awaited[status.worker] == nil {
      _ = returning.take(status.worker)
      tellNotBack(status, at: now, into: &effects)
    }
  }

  mutating func tellNotBack(
    _ status: WorkerStatus, at now: Duration, into effects: inout [Effect]
  ) {
    let reason = "it did not come back to the restarted coordinator"
    observe(
      Observation(.workerLost, worker: status.name, detail: reason), at: now, into: &effects)
    noteLost(status, reason: reason, at: now)
  }
}
