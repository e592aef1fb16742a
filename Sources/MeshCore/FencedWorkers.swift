/// Workers that were found hung and told to end, the last ones. The word may be lost, and the thread
/// that talks goes on as if nothing were wrong: such a worker is told again, and given nothing, until
/// its process is another one, which has another id.
///
/// They are forgotten with the coordinator. One that is started again takes such a worker in, and
/// finds out anew that it hangs. That costs time and nothing else: whatever was taken from the worker
/// is under higher epochs now, and what it says under its own is refused.
struct FencedWorkers: Sendable {
  private var workers: [(id: WorkerID, reason: String)] = []

  mutating func add(_ worker: WorkerID, because reason: String) {
    if workers.count >= Limits.fencedKeptMaximum { workers.removeFirst() }
    workers.append((worker, reason))
  }

  /// Why a worker was fenced; nil if it wasn't.
  func reason(for worker: WorkerID) -> String? { workers.last { $0.id == worker }?.reason }
}
