/// Workers that were lost and haven't come back: they are told of for a while, with when and why.
struct LostWorkers: Sendable {
  private struct Entry: Sendable {
    let status: WorkerStatus
    let at: Duration
  }

  /// The last one lost is the last.
  private var entries: [Entry] = []

  /// - Parameter status: as it was, with `lost`.
  mutating func note(_ status: WorkerStatus, at now: Duration) {
    forget(status.name)
    if entries.count >= Limits.lostWorkersKeptMaximum { entries.removeFirst() }
    entries.append(Entry(status: status, at: now))
  }

  /// One of this name is here again.
  mutating func forget(_ name: String) { entries.removeAll { $0.status.name == name } }

  mutating func expire(at now: Duration) {
    entries.removeAll { now - $0.at >= Limits.lostWorkersKept }
  }

  /// The last ones first.
  func told(at now: Duration) -> [WorkerStatus] {
    entries.reversed().map { entry in
      var status = entry.status
      status.silentSeconds += (now - entry.at).seconds
      return status
    }
  }
}

extension Coordinator {
  /// A lost worker as it is told of from now on.
  mutating func noteLost(_ status: WorkerStatus, reason: String, at now: Duration) {
    var status = status
    status.standing = .lost
    (status.job, status.vranks) = (nil, [])
    status.loss = WorkerLoss(at: wallSeconds(at: now), reason: reason)
    lost.note(status, at: now)
  }
}
