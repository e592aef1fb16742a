internal import Glibc
package import MeshCore
package import MeshJournal
internal import Synchronization
package import ZeroMQ

/// Keeps a coordinator's events and the workers that it knows in its store, some moments after they
/// happened, on a thread of its own: a slow disk holds nothing up. Without room or with a disk that fails,
/// events just end with the process.
package final class EventKeeper: Sendable {
  private struct State {
    var isBusy = false
    /// Number of the last event that is written.
    var written: UInt64
    /// After a failure nothing is tried before.
    var retryAt = Duration.zero
  }

  /// Events that are written in one go.
  private static let batchMaximum = 256

  private let journal: EventJournal
  private let queue: BackgroundQueue
  private let state: Mutex<State>

  package init(_ journal: EventJournal, after last: UInt64) throws(ZeroMQError) {
    self.journal = journal
    queue = try BackgroundQueue(name: "events")
    state = Mutex(State(written: last))
  }

  /// Has the first events written that aren't yet, unless some are being written. The loop that calls
  /// this only copies them: what they are on disk is made on the keeper's thread.
  package func keep(_ core: borrowing Coordinator) {
    let now = MonotonicClock.now
    let written = state.withLock { state -> UInt64? in
      state.isBusy || now < state.retryAt ? nil : state.written
    }
    guard let written else { return }
    let events = Array(core.events(after: written).prefix(Self.batchMaximum))
    guard let last = events.last else { return }
    let changesWorkers = events.contains { $0.observation.kind.changesWorkers }
    let workers = changesWorkers ? core.knownWorkers(at: now) : nil
    state.withLock { $0.isBusy = true }
    queue.run { [self] in
      var isWritten = true
      do throws(JournalError) {
        try journal.append(events.map { $0.entry() }, workers: workers.map(WorkerStatus.document))
      } catch {
        isWritten = false
      }
      state.withLock { state in
        state.isBusy = false
        if isWritten {
          state.written = last.sequence
        } else {
          state.retryAt = MonotonicClock.now + .seconds(1)
        }
      }
    }
  }

  /// Writes what is left, unless the disk takes too long.
  package func finish(_ core: borrowing Coordinator) {
    let deadline = MonotonicClock.now + .seconds(1)
    state.withLock { $0.retryAt = .zero }
    while MonotonicClock.now < deadline {
      let (isBusy, written) = state.withLock { ($0.isBusy, $0.written) }
      if !isBusy {
        if core.events(after: written).isEmpty { break }
        keep(core)
      }
      usleep(1_000)
    }
    guard queue.stop(upTo: .seconds(1)) else { return }
    do throws(JournalError) {
      try journal.close()
    } catch {
      // Its log is merged when it is opened again.
    }
  }

  /// What is kept of a store's events.
  package struct Kept {
    /// Nil where nothing can be kept: a coordinator does its work without.
    package var journal: EventJournal?
    package var events: [EventJournal.Entry] = []
    package var workers: [WorkerStatus] = []
    /// What to tell of it.
    package var problem: String?
  }

  /// Opens a store's events.
  package static func open(_ store: String) -> Kept {
    let keeping = Limits.eventsKeptMaximum
    do throws(JournalError) {
      let journal = try EventJournal(directory: store, keeping: keeping)
      do throws(JournalError) {
        let workers = try journal.workers().map { body throws(JournalError) in
          try WorkerStatus.workers(of: body)
        }
        return Kept(journal: journal, events: try journal.load(), workers: workers ?? [])
      } catch {
        // Before another file takes its place.
        try? journal.close()
        throw error
      }
    } catch .damaged(let what) {
      // It is put aside, and not removed: somebody may want to look at it.
      let aside = "\(store)/events.damaged"
      unlink("\(store)/\(EventJournal.name)-shm")
      for suffix in ["-wal", ""] {
        let moved = rename("\(store)/\(EventJournal.name)\(suffix)", "\(aside)\(suffix)") == 0
        guard moved || errno == ENOENT else {
          return Kept(problem: "events aren't kept: \(what)")
        }
      }
      guard let journal = try? EventJournal(directory: store, keeping: keeping) else {
        return Kept(problem: "events aren't kept: \(what)")
      }
      return Kept(
        journal: journal,
        problem: "the record of earlier events was damaged (\(what)); it is now \(aside)")
    } catch {
      return Kept(problem: "events aren't kept: \(error.description)")
    }
  }
}
