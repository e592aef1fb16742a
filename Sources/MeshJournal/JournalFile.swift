internal import Glibc

/// The database's file, before SQLite has it: for this user alone, and no link to elsewhere.
package enum JournalFile {
  static func prepare(_ path: String) throws(JournalError) {
    var status = stat()
    // Not opened when it exists: closing it again would take SQLite's locks with it.
    let exists = lstat(path, &status) == 0
    guard exists || errno == ENOENT else { throw failure(path) }
    if exists, status.st_mode & S_IFMT != S_IFREG || status.st_uid != geteuid() {
      throw .io("\(path) isn't a file of this user")
    }
    if (1..<512).contains(status.st_size) {
      throw .damaged("\(path) has \(status.st_size) bytes, less than any database")
    }
    var log = stat()
    if status.st_size == 0, lstat(path + "-wal", &log) == 0, log.st_size > 0 {
      // SQLite would take it for a new database and discard the log.
      throw .damaged("\(path) is empty or missing, and its log isn't")
    }
    if !exists { try create(path) }
  }

  /// The log gets the permissions of its database.
  private static func create(_ path: String) throws(JournalError) {
    let file = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard file >= 0 else { throw failure(path) }
    close(file)
    let directory = open(Self.directory(of: path), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    defer { if directory >= 0 { close(directory) } }
    guard directory >= 0, fsync(directory) == 0 else { throw failure(path) }
  }

  /// The directory that a file is in, as a path: "." for a name alone.
  package static func directory(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  private static func failure(_ path: String) -> JournalError {
    .io("\(path): \(String(cString: strerror(errno)))")
  }
}
