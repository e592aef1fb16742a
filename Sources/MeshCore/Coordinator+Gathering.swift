/// When a mesh has enough workers for a job to be cut for them: how many ranks it has is decided then,
/// for those who are here, and those who came a moment later would find too few.
struct Gathering: Sendable {
  /// After a restart those that were here come back one by one: no job begins before.
  var returnsUntil = Duration.zero
  /// When the first worker came to an empty mesh, and until when others are expected.
  var settlesSince = Duration.zero
  var settlesUntil = Duration.zero
  /// Since when there are fewer workers than there should be.
  var shortSince: Duration?
}

extension Coordinator {
  /// A worker has joined. Those that take no part in jobs are no beginning of a mesh.
  mutating func noteGathering(of worker: WorkerID, at now: Duration) {
    let able = members.filter { $0.isOpen && !$0.hello.isSpare }
    let isFirst = able.count == 1 && able[0].id == worker
    if isFirst { gathering.settlesSince = now }
    guard isFirst || now < gathering.settlesUntil else { return }
    gathering.settlesUntil = min(
      now + configuration.settling, gathering.settlesSince + Limits.settlingMaximum)
  }

  /// What queued jobs wait for, whatever they need; nil when one may begin on so many workers.
  mutating func lack(of workers: Int, at now: Duration) -> String? {
    let wanted = configuration.workersMinimum
    // From the first that came on: how long there was nobody says nothing about the others.
    gathering.shortSince =
      workers > 0 && workers < wanted ? gathering.shortSince ?? now : nil
    if workers == 0 { return lackOfWorkers }
    if now < gathering.returnsUntil { return "waits for workers" }
    if let since = gathering.shortSince {
      guard now - since < Limits.workersMinimumTimeout else { return nil }
      return "waits for workers: \(workers) of the \(wanted) of --min-workers are here"
    }
    let isSettling = wanted == 0 && now < gathering.settlesUntil
    return isSettling ? "waits a moment for more workers" : nil
  }
}
