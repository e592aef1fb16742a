internal import Glibc
internal import MeshCore
internal import MeshJournal

/// Commits of the coordinator's state, one after the other, on a thread of their own: a slow disk
/// must not keep the loop from hearing heartbeats.
final class JournalQueue: Sendable {
  private let journal: Journal
  private let queue: BackgroundQueue

  init(_ journal: Journal, queue: BackgroundQueue) {
    self.journal = journal
    self.queue = queue
  }

  /// Writes images in one transaction, and tells how that went.
  func commit(
    _ number: UInt64, _ images: [JobImage], removing jobs: [JobID],
    then tell: @escaping @Sendable (Coordinator.Event) -> Void
  ) {
    queue.run { [journal] in
      Failpoint.pass("commit")
      do throws(JournalError) {
        try journal.commit(images.map { $0.entry() }, removing: jobs.map { "\($0)" })
        Failpoint.pass("committed")
        tell(.committed(number))
      } catch .superseded {
        // Another coordinator has the store: whatever this one says from now on would be wrong.
        complain("another coordinator has taken over the store; this one ends")
        _exit(3)
      } catch {
        tell(.commitFailed(number, reason: error.problem))
      }
    }
  }

  func stop() { queue.stop() }
}

private func complain(_ text: String) {
  let line = Array("attnmesh: \(text)\n".utf8)
  _ = write(STDERR_FILENO, line, line.count)
}
