internal import Foundation
internal import Glibc
internal import MeshCore
internal import MeshJournal
internal import Synchronization
internal import ZeroMQ

/// Keeps a coordinator's events in its store, some moments after they happened, on a thread of its own:
/// a slow disk holds nothing up. Without room or with a disk that fails, events just end with the
/// process.
final class EventKeeper: Sendable {
  private struct State {
    var isBusy = false
    /// Number of the last event that is written.
    var written: UInt64
    /// After a failure nothing is tried before.
    var retryAt = Duration.zero
  }

  private let journal: EventJournal
  private let queue: BackgroundQueue
  private let state: Mutex<State>

  init(_ journal: EventJournal, after last: UInt64) throws(ZeroMQError) {
    self.journal = journal
    queue = try BackgroundQueue(name: "events")
    state = Mutex(State(written: last))
  }

  /// Has the events written that aren't yet, unless some are being written.
  func keep(_ core: borrowing Coordinator) {
    let now = MonotonicClock.now
    let written = state.withLock { state -> UInt64? in
      state.isBusy || now < state.retryAt ? nil : state.written
    }
    guard let written else { return }
    let events = core.events(after: written)
    guard let last = events.last else { return }
    state.withLock { $0.isBusy = true }
    let entries = events.map { $0.entry() }
    queue.run { [self] in
      var isWritten = true
      do throws(JournalError) {
        try journal.append(entries)
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
  func finish(_ core: borrowing Coordinator) {
    let deadline = MonotonicClock.now + .seconds(1)
    while state.withLock({ $0.isBusy }), MonotonicClock.now < deadline { usleep(1_000) }
    state.withLock { $0.retryAt = .zero }
    keep(core)
    guard queue.stop(upTo: .seconds(1)) else { return }
    do throws(JournalError) {
      try journal.close()
    } catch {
      // Its log is merged when it is opened again.
    }
  }

  /// Opens a store's events.
  ///
  /// - Returns: nil, and what to tell, where that can't be done: a coordinator does its work without.
  static func open(
    _ store: String
  ) -> (journal: EventJournal?, events: [EventJournal.Entry], problem: String?) {
    let keeping = Limits.eventsKeptMaximum
    do throws(JournalError) {
      let journal = try EventJournal(directory: store, keeping: keeping)
      do throws(JournalError) {
        return (journal, try journal.load(), nil)
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
        guard moved || errno == ENOENT else { return (nil, [], "events aren't kept: \(what)") }
      }
      guard let journal = try? EventJournal(directory: store, keeping: keeping) else {
        return (nil, [], "events aren't kept: \(what)")
      }
      return (journal, [], "the record of earlier events was damaged (\(what)); it is now \(aside)")
    } catch {
      return (nil, [], "events aren't kept: \(error.description)")
    }
  }
}

// MARK: On disk

extension RecordedEvent {
  /// JSON, which an operator can read too.
  private struct Document: Codable {
    var time: Double
    var kind: String
    var job: String?
    var worker: String?
    var vrank: Int?
    var detail: String
  }

  func entry() -> EventJournal.Entry {
    let document = Document(
      time: wallSeconds, kind: observation.kind.name, job: observation.job.map { "\($0)" },
      worker: observation.worker, vrank: observation.vrank?.index, detail: observation.detail)
    // Text and finite numbers: there is nothing that JSON can't hold.
    guard let body = try? JSONEncoder().encode(document) else {
      preconditionFailure("no JSON of event \(sequence)")
    }
    return EventJournal.Entry(sequence: sequence, body: Array(body))
  }

  /// What was kept of an event; one of a kind that this version doesn't know keeps its place.
  ///
  /// - Parameter start: what the clock of `seconds` is behind that of the wall.
  init(_ entry: EventJournal.Entry, start: Double) {
    let found = try? JSONDecoder().decode(Document.self, from: Data(entry.body))
    let kind = Observation.Kind.allCases.first { $0.name == found?.kind }
    var observation = Observation(kind ?? .messageDropped)
    observation.job = found?.job.flatMap { JobID($0) }
    observation.worker = found?.worker
    observation.vrank = found?.vrank.flatMap { index in
      (0..<Limits.vranksMaximum).contains(index) ? VRank(index) : nil
    }
    observation.detail = found?.detail ?? ""
    if kind == nil {
      observation.detail = "an event that this version doesn't know: \(found?.kind ?? "")"
    }
    let time = found?.time ?? 0
    self.init(
      sequence: entry.sequence, seconds: time - start, wallSeconds: time, observation: observation)
  }
}
