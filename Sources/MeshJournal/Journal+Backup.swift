internal import Foundation
internal import GRDB

/// Copies of a journal, taken while a coordinator writes it.
extension Journal {
  /// What a journal or a copy of one holds.
  package struct Contents: Sendable {
    /// Of the last coordinator that had it.
    package let term: UInt64
    /// In order of number.
    package let entries: [Entry]

    package init(term: UInt64, entries: [Entry]) {
      self.term = term
      self.entries = entries
    }
  }

  /// Copies the journal of a directory to a new file, as it is at one moment, and reads the copy
  /// through. The coordinator goes on; its term stays.
  ///
  /// - Parameter path: nothing may be there; it is made durable, but not its name.
  package static func backUp(
    directory: String, to path: String
  ) throws(JournalError) -> Contents {
    try journaled {
      let source = try DatabaseQueue(
        path: directory + "/journal.sqlite", configuration: configuration(isReadOnly: true))
      defer { try? source.close() }
      // Nothing is read from what is no journal of this version.
      try JournalSchema.check(source)
      try JournalFile.prepare(path)
      let copy = try DatabaseQueue(path: path, configuration: configuration(isReadOnly: false))
      do {
        try source.backup(to: copy)
        // One file, without a log beside it.
        try copy.inDatabase { db in
          try db.execute(sql: "PRAGMA synchronous = FULL")
          let mode = try String.fetchOne(db, sql: "PRAGMA journal_mode = DELETE")
          guard mode == "delete" else { throw JournalError.io("the copy keeps its log") }
        }
      } catch {
        try? copy.close()
        throw error
      }
      try copy.close()
    }
    return try read(path)
  }

  /// Reads a copy, whole: every page, every checksum.
  package static func read(_ path: String) throws(JournalError) -> Contents {
    try journaled {
      let queue = try DatabaseQueue(path: path, configuration: configuration(isReadOnly: true))
      defer { try? queue.close() }
      try JournalSchema.check(queue)
      return try queue.read { db in
        Contents(term: UInt64(try lastTerm(db)), entries: try entries(db))
      }
    }
  }

  /// Makes a journal with these contents in a directory that has none, in one file. Whoever opens it
  /// has a higher term than that of the contents.
  package static func create(_ contents: Contents, directory: String) throws(JournalError) {
    // A term is never 0 nor beyond what SQLite holds: it was read from there.
    let journal = try Journal(directory: directory, now: Int64(clamping: contents.term))
    try journal.commit(contents.entries)
    try journal.close()
  }

  private static func configuration(isReadOnly: Bool) -> Configuration {
    var configuration = Configuration()
    configuration.readonly = isReadOnly
    configuration.busyMode = .timeout(2)
    configuration.label = "journal backup"
    return configuration
  }
}
