/// Workers that can't be heard any more and whose processes may live: a connection that broke is no
/// death. Each has a while to come back, as the process it was; what its loss would prove is in doubt
/// until then.
struct MissingWorkers: Sendable {
  private struct Entry {
    let worker: WorkerID
    let name: String
    var until: Duration
    /// It had its time. Where a supervisor would tell of its end, it is still not taken for dead.
    var isOverdue = false
  }

  /// In the order in which they were lost.
  private var entries: [Entry] = []

  var isEmpty: Bool { entries.isEmpty }

  mutating func add(_ worker: WorkerID, name: String, until: Duration) {
    entries.removeAll { $0.worker == worker }
    if entries.count >= Limits.workersMaximum { entries.removeFirst() }
    entries.append(Entry(worker: worker, name: name, until: until))
  }

  func contains(_ worker: WorkerID) -> Bool { entries.contains { $0.worker == worker } }

  /// Whether it isn't known yet if the worker's process has ended.
  func isInDoubt(_ worker: WorkerID) -> Bool {
    entries.contains { $0.worker == worker && !$0.isOverdue }
  }

  /// It is back, as the process it was.
  mutating func welcome(_ worker: WorkerID) { entries.removeAll { $0.worker == worker } }

  /// The process of this name has ended: somebody saw it, or another has its name.
  ///
  /// - Returns: its worker, if it was missed.
  mutating func settle(_ name: String) -> WorkerID? {
    guard let place = entries.firstIndex(where: { $0.name == name }) else { return nil }
    return entries.remove(at: place).worker
  }

  /// - Parameter isSupervised: whether ends of processes are told: then those that are late may come.
  /// - Returns: whether somebody's time is over.
  mutating func expire(at now: Duration, isSupervised: Bool) -> Bool {
    let late = entries.indices.filter { !entries[$0].isOverdue && now >= entries[$0].until }
    guard !late.isEmpty else { return false }
    for place in late { entries[place].isOverdue = true }
    if !isSupervised { entries.removeAll(where: \.isOverdue) }
    return true
  }

  /// The coordinator was stopped itself, and has heard nobody.
  mutating func postpone(by lag: Duration) {
    for place in entries.indices { entries[place].until += lag }
  }
}
