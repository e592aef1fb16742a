internal import GRDB

/// Tables of the journal, their versions, and the settings of a connection.
enum JournalSchema {
  /// The last version that this program knows.
  static let version = 1
  /// "amj1": tells the file from any other SQLite database.
  private static let applicationID = 0x616d_6a31

  /// Checks that the file is an intact journal which this program knows, or new.
  static func check(_ queue: DatabaseQueue) throws {
    let migrator = migrator
    try queue.inDatabase { db in
      // Every page is checked when it is read, and no view or trigger of the file is trusted.
      try db.execute(sql: "PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF")
      try identify(db)
      let found = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
      if found > version { throw JournalError.newerSchema(found: found, known: version) }
      // The whole check, not quick_check: only it compares a table with its index, and so misses no
      // lost row. A journal is small.
      let finding = try String.fetchOne(db, sql: "PRAGMA integrity_check(1)") ?? "no answer"
      if finding != "ok" { throw JournalError.damaged(JournalError.line(finding)) }
      if try migrator.hasBeenSuperseded(db) {
        throw JournalError.newerSchema(found: version + 1, known: version)
      }
    }
  }

  /// Brings the tables to this version.
  static func migrate(_ queue: DatabaseQueue) throws {
    try migrator.migrate(queue)
    let reached = try queue.inDatabase { try Int.fetchOne($0, sql: "PRAGMA user_version") }
    guard reached == version else { throw JournalError.damaged("its schema has no version") }
  }

  /// A new file is marked before its tables are made, so that what a crash leaves is known too.
  private static func identify(_ db: Database) throws {
    if try Int.fetchOne(db, sql: "PRAGMA application_id") == applicationID { return }
    guard try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_schema") == 0 else {
      throw JournalError.damaged("journal.sqlite is something else's database")
    }
    try db.execute(sql: "PRAGMA application_id = \(applicationID)")
  }

  /// One step a version. A step that was released never changes; the next one follows it.
  private static var migrator: DatabaseMigrator {
    var migrator = DatabaseMigrator()
    migrator.registerMigration("1") { db in
      try db.execute(
        sql: """
          CREATE TABLE state (
            id INTEGER PRIMARY KEY CHECK (id = 1), term INTEGER NOT NULL,
            commits INTEGER NOT NULL, checksum INTEGER NOT NULL) STRICT;
          CREATE TABLE entry (
            id TEXT NOT NULL PRIMARY KEY, number INTEGER NOT NULL, image BLOB NOT NULL,
            checksum INTEGER NOT NULL) STRICT;
          PRAGMA user_version = 1
          """)
      try db.execute(
        sql: "INSERT INTO state VALUES (1, 0, 0, ?)", arguments: [JournalChecksum.term(0)])
    }
    return migrator
  }
}
