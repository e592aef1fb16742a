internal import Foundation
internal import GRDB

/// The last events that coordinators of a store saw, and the workers that they knew, for people. Nothing
/// that must be right depends on it: what was appended outlives the process, and may be lost when the machine loses its power.
///
/// An SQLite database of its own, so that no commit of the coordinator's state waits for it.
package final class EventJournal: Sendable {
  /// One event.
  package struct Entry: Hashable, Sendable {
    /// Goes up by 1.
    package var sequence: UInt64
    /// A document that the journal doesn't look into.
    package var body: [UInt8]

    package init(sequence: UInt64, body: [UInt8]) {
      self.sequence = sequence
      self.body = body
    }
  }

  /// "ame1": tells the file from any other SQLite database.
  private static let applicationID = 0x616d_6531
  private let queue: DatabaseQueue
  private let keeping: Int

  /// Opens `events.sqlite` in an existing directory, or creates it.
  ///
  /// - Parameter keeping: entries at most; older ones are removed.
  package init(directory: String, keeping: Int) throws(JournalError) {
    self.keeping = keeping
    let path = directory + "/" + Self.name
    try JournalFile.prepare(path)
    queue = try journaled {
      var configuration = Configuration()
      configuration.busyMode = .timeout(2)
      configuration.label = "events"
      let queue = try DatabaseQueue(path: path, configuration: configuration)
      try queue.inDatabase(Self.prepare)
      return queue
    }
  }

  package static let name = "events.sqlite"

  /// Every entry without a gap before the last one, in order.
  package func load() throws(JournalError) -> [Entry] {
    try journaled {
      try queue.read { db in
        var entries: [Entry] = []
        let rows = try Row.fetchCursor(
          db, sql: "SELECT sequence, body FROM event ORDER BY sequence DESC LIMIT ?",
          arguments: [keeping])
        while let row = try rows.next() {
          guard case .int64(let sequence) = (row[0] as DatabaseValue).storage, sequence > 0,
            case .blob(let body) = (row[1] as DatabaseValue).storage
          else { throw JournalError.damaged("an event isn't what was written") }
          if let last = entries.last, UInt64(sequence) + 1 != last.sequence { break }
          entries.append(Entry(sequence: UInt64(sequence), body: [UInt8](body)))
        }
        return entries.reversed()
      }
    }
  }

  /// The workers that were known, a document that the journal doesn't look into; nil before there were
  /// any.
  package func workers() throws(JournalError) -> [UInt8]? {
    try journaled {
      try queue.read { db in
        guard let row = try Row.fetchOne(db, sql: "SELECT body FROM workers WHERE id = 1") else {
          return nil
        }
        guard case .blob(let body) = (row[0] as DatabaseValue).storage else {
          throw JournalError.damaged("the list of workers isn't what was written")
        }
        return [UInt8](body)
      }
    }
  }

  /// Appends entries, and removes those that are too old.
  ///
  /// - Parameter workers: that are known from now on; nil for those from before.
  package func append(_ entries: [Entry], workers: [UInt8]? = nil) throws(JournalError) {
    guard let last = entries.last else { return }
    try journaled {
      try queue.write { db in
        let insert = try db.cachedStatement(
          sql: "INSERT OR REPLACE INTO event (sequence, body) VALUES (?, ?)")
        for entry in entries {
          try insert.execute(arguments: [Int64(clamping: entry.sequence), Data(entry.body)])
        }
        let oldest = Int64(clamping: last.sequence) - Int64(keeping)
        try db.execute(sql: "DELETE FROM event WHERE sequence <= ?", arguments: [oldest])
        guard let workers else { return }
        try db.execute(
          sql: "INSERT OR REPLACE INTO workers (id, body) VALUES (1, ?)",
          arguments: [Data(workers)])
      }
    }
  }

  /// Lets go of the file; the log goes into it.
  package func close() throws(JournalError) { try journaled { try queue.close() } }

  private static func prepare(_ db: Database) throws {
    try db.execute(sql: "PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF")
    let tables = try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_schema") ?? 0
    if tables > 0 {
      guard try Int.fetchOne(db, sql: "PRAGMA application_id") == applicationID else {
        throw JournalError.damaged("\(name) is something else's database")
      }
      let finding = try String.fetchOne(db, sql: "PRAGMA integrity_check(1)") ?? "no answer"
      guard finding == "ok" else { throw JournalError.damaged(JournalError.line(finding)) }
    }
    // A commit goes to the system and not to the disk: a crash of this process loses none.
    try db.execute(
      sql: """
        PRAGMA journal_mode = WAL;
        PRAGMA journal_size_limit = 1048576;
        PRAGMA synchronous = NORMAL;
        PRAGMA application_id = \(applicationID);
        CREATE TABLE IF NOT EXISTS event (
          sequence INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
        CREATE TABLE IF NOT EXISTS workers (
          id INTEGER PRIMARY KEY CHECK (id = 1), body BLOB NOT NULL) STRICT
        """)
  }
}
