internal import GRDB

/// Why the journal can't be opened, read or written: one line that says what to do.
package enum JournalError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The system or the disk refuses, with SQLite's message. A commit that ends so may yet turn out
  /// to be done: whoever goes on repeats it, since it says what is to be and not what changes.
  case io(String)
  /// The file isn't what was written.
  case damaged(String)
  /// Another coordinator has opened the journal since: this one must not act any more.
  case superseded
  /// A later version of the program wrote it.
  case newerSchema(found: Int, known: Int)

  package var description: String { "\(problem); \(advice)" }

  /// What is wrong, without what to do: that is another thing for a coordinator that runs.
  package var problem: String {
    switch self {
    case .io(let message): "the journal can't be used: \(message)"
    case .damaged(let message): "the journal is damaged: \(message)"
    case .superseded: "another coordinator has taken the store over"
    case .newerSchema(let found, let known):
      "the journal has schema \(found) and this program knows \(known)"
    }
  }

  private var advice: String {
    switch self {
    case .io: "see to the disk's room and permissions, then start again"
    case .damaged:
      "put a copy in its place, or move the whole store away and submit its jobs again"
    case .superseded: "stop this one"
    case .newerSchema: "start the version that wrote it, or a later one"
    }
  }

  /// Errors of the machine are told from those of the file: every statement is fixed, so whatever
  /// else goes wrong with one lies in what it reads.
  init(_ error: DatabaseError) {
    let machine: [ResultCode] = [
      .SQLITE_PERM, .SQLITE_BUSY, .SQLITE_LOCKED, .SQLITE_NOMEM, .SQLITE_READONLY,
      .SQLITE_INTERRUPT, .SQLITE_IOERR, .SQLITE_FULL, .SQLITE_CANTOPEN, .SQLITE_PROTOCOL,
      .SQLITE_TOOBIG, .SQLITE_NOLFS, .SQLITE_AUTH,
    ]
    let message = Self.line(error.message ?? "\(error.resultCode)")
    let code = error.extendedResultCode.rawValue
    self =
      machine.contains(error.resultCode.primaryResultCode)
      ? .io("\(message) (SQLite \(code))") : .damaged("\(message) (SQLite \(code))")
  }

  /// One line of at most 200 characters.
  static func line(_ text: String) -> String {
    String(text.map { $0.isNewline ? " " : $0 }.prefix(200))
  }
}

/// Gives a type to what GRDB's calls throw.
func journaled<Value>(_ body: () throws -> Value) throws(JournalError) -> Value {
  do {
    return try body()
  } catch let error as JournalError {
    throw error
  } catch let error as DatabaseError {
    throw JournalError(error)
  } catch {
    // A value of another type than was written.
    throw .damaged(JournalError.line("\(error)"))
  }
}
