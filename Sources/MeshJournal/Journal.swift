internal import Foundation
internal import GRDB

/// The coordinator's durable state: its term, and an image of each job it answers for. Once a commit
/// has returned it outlives the process and a loss of power, and the next coordinator on the same
/// store finds it.
///
/// An SQLite database with a write-ahead log. One coordinator writes at a time; one that was
/// superseded is refused, whatever it believes.
package final class Journal: Sendable {
  /// What is kept of one job.
  package struct Entry: Hashable, Sendable {
    /// The job's id in hexadecimal.
    package var id: String
    /// Order of submit.
    package var number: Int
    /// A document with a version of its own, which the journal doesn't look into.
    package var image: [UInt8]

    package init(id: String, number: Int, image: [UInt8]) {
      self.id = id
      self.number = number
      self.image = image
    }
  }

  /// Higher than that of every coordinator that opened the journal before.
  package let term: UInt64
  private let queue: DatabaseQueue

  /// Opens `journal.sqlite` in an existing directory, or creates it, and raises the term.
  ///
  /// - Parameter now: milliseconds since 1970, below which no term is.
  package init(directory: String, now: Int64 = 0) throws(JournalError) {
    let path = directory + "/journal.sqlite"
    try JournalFile.prepare(path)
    (queue, term) = try journaled {
      var configuration = Configuration()
      // An earlier coordinator may be in the middle of its last commit.
      configuration.busyMode = .timeout(2)
      configuration.label = "journal"
      let queue = try DatabaseQueue(path: path, configuration: configuration)
      // Nothing is written to a file that is no journal of this version.
      try JournalSchema.check(queue)
      try Self.makeDurable(queue)
      try JournalSchema.migrate(queue)
      return (queue, try queue.write { try Self.raiseTerm($0, now: now) })
    }
  }

  /// Every entry, in order of number.
  package func load() throws(JournalError) -> [Entry] {
    try journaled { try queue.read { try Self.entries($0) } }
  }

  /// Lets go of the file; the log goes into it.
  package func close() throws(JournalError) { try journaled { try queue.close() } }

  /// Inserts or replaces entries and removes others, all or nothing, and waits until it is durable.
  /// What isn't there is removed without effect; an id in both lists is removed.
  package func commit(_ entries: [Entry], removing: [String] = []) throws(JournalError) {
    try journaled {
      try queue.write { db in
        try db.execute(
          sql: "UPDATE state SET commits = commits + 1 WHERE term = ?", arguments: [Int64(term)])
        guard db.changesCount == 1 else { throw JournalError.superseded }
        let upsert = try db.cachedStatement(
          sql: """
            INSERT INTO entry (id, number, image, checksum) VALUES (?, ?, ?, ?)
            ON CONFLICT (id) DO UPDATE SET
              number = excluded.number, image = excluded.image, checksum = excluded.checksum
            """)
        for entry in entries {
          try upsert.execute(arguments: [
            entry.id, entry.number, Data(entry.image), JournalChecksum.entry(entry),
          ])
        }
        let delete = try db.cachedStatement(sql: "DELETE FROM entry WHERE id = ?")
        for id in removing { try delete.execute(arguments: [id]) }
      }
    }
  }

  /// How SQLite syncs the journal at present: 2, which is FULL.
  package func synchronous() throws(JournalError) -> Int {
    try journaled { try queue.inDatabase(Self.synchronous) }
  }
}

// MARK: Opening

extension Journal {
  /// Turns the log on, with a sync at every commit. Done here, and not by GRDB, which would set
  /// NORMAL with it; what was set is read back.
  private static func makeDurable(_ queue: DatabaseQueue) throws {
    try queue.inDatabase { db in
      let mode = try String.fetchOne(db, sql: "PRAGMA journal_mode = WAL")
      guard mode == "wal" else {
        throw JournalError.io("SQLite has no write-ahead log here (\(mode ?? "no answer"))")
      }
      // A log of some 4 MB goes into the database, and is cut back where a burst made it longer.
      try db.execute(
        sql: """
          PRAGMA wal_autocheckpoint = 1000;
          PRAGMA journal_size_limit = 8388608;
          PRAGMA synchronous = FULL
          """)
      let level = try synchronous(db)
      guard level == 2 else {
        throw JournalError.io("SQLite syncs at level \(level) and not at FULL")
      }
    }
  }

  private static func synchronous(_ db: Database) throws -> Int {
    try Int.fetchOne(db, sql: "PRAGMA synchronous") ?? 0
  }

  static func entries(_ db: Database) throws -> [Entry] {
    var entries: [Entry] = []
    let rows = try Row.fetchCursor(
      db, sql: "SELECT id, number, image, checksum FROM entry ORDER BY number, id")
    while let row = try rows.next() { entries.append(try Self.entry(row)) }
    return entries
  }

  static func lastTerm(_ db: Database) throws -> Int64 {
    guard let row = try Row.fetchOne(db, sql: "SELECT term, checksum FROM state WHERE id = 1"),
      case .int64(let last) = (row[0] as DatabaseValue).storage,
      case .int64(let checksum) = (row[1] as DatabaseValue).storage,
      checksum == JournalChecksum.term(last), (0..<Int64.max).contains(last)
    else { throw JournalError.damaged("its term isn't what was written") }
    return last
  }

  private static func raiseTerm(_ db: Database, now: Int64) throws -> UInt64 {
    let last = try lastTerm(db)
    // A worker may come from a coordinator without a store, whose term was the time in the same unit.
    let term = max(last + 1, now)
    try db.execute(
      sql: "UPDATE state SET term = ?, checksum = ?", arguments: [term, JournalChecksum.term(term)])
    return UInt64(term)
  }

  private static func entry(_ row: Row) throws -> Entry {
    guard case .string(let id) = (row[0] as DatabaseValue).storage,
      case .int64(let number) = (row[1] as DatabaseValue).storage,
      case .blob(let image) = (row[2] as DatabaseValue).storage,
      case .int64(let checksum) = (row[3] as DatabaseValue).storage
    else { throw JournalError.damaged("an entry isn't what was written") }
    let entry = Entry(id: id, number: Int(number), image: [UInt8](image))
    guard checksum == JournalChecksum.entry(entry) else {
      throw JournalError.damaged("entry \(JournalError.line(id)) isn't what was written")
    }
    return entry
  }
}
