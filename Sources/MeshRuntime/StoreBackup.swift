internal import Glibc
package import MeshCore
internal import MeshJournal
internal import TensorFiles

/// Copies of a coordinator's state: its journal, with its term and an image of every job. Inputs and
/// results are not in it: they are files that don't change once they are there, in a directory for each
/// job, and whoever wants them copies those.
package enum StoreBackup {
  /// What a backup or a restored store holds.
  package struct Summary: Sendable {
    package var term: UInt64
    package var jobs: Int
    package var bytes: Int
    /// Jobs that were running and begin anew.
    package var requeued: [JobID] = []
    /// Finished jobs whose results aren't in the store yet.
    package var withoutResult: [JobID] = []
    /// Jobs that wait and whose inputs aren't in the store yet: without them they fail when the
    /// coordinator starts.
    package var withoutInputs: [JobID] = []
  }

  /// Copies the journal of a store while its coordinator runs. The copy appears under its name once it
  /// is whole, was read through and is durable.
  package static func make(
    of store: String, to path: String, replaces: Bool
  ) throws(MeshError) -> Summary {
    guard access(store + "/journal.sqlite", F_OK) == 0 else {
      if errno == EACCES {
        throw MeshError(.badInput, "--store \(store): \(systemReason(errno, at: store))")
      }
      throw MeshError(
        .badInput,
        "--store \(store): there is no journal of a coordinator in it; give the directory"
          + " that `attnmesh coordinator --store` has")
    }
    try checkTarget(path, replaces: replaces)
    let partial = "\(path).\(getpid()).new"
    var isWhole = false
    defer { if !isWhole { unlink(partial) } }
    let contents: Journal.Contents
    do throws(JournalError) {
      contents = try Journal.backUp(directory: store, to: partial)
    } catch {
      throw MeshError(.jobFailed, "\(store) can't be backed up to \(path): \(error.description)")
    }
    for entry in contents.entries { _ = try JobImage(entry) }
    var status = stat()
    guard stat(partial, &status) == 0, sync(partial) else { throw failure(path) }
    // Another may have come meanwhile: a link is made only where there is nothing.
    if replaces {
      guard rename(partial, path) == 0 else { throw failure(path) }
    } else {
      guard link(partial, path) == 0 else { throw failure(path) }
      unlink(partial)
    }
    isWhole = true
    guard sync(JournalFile.directory(of: path)) else { throw failure(path) }
    return Summary(
      term: contents.term, jobs: contents.entries.count, bytes: Int(status.st_size))
  }

  /// Makes a store's journal from a backup. Directories of jobs belong to it, whether they are there
  /// already or come later: inputs before the coordinator starts, results when they are asked for. Jobs that were running begin anew: where they were since isn't known.
  package static func restore(_ path: String, to store: String) throws(MeshError) -> Summary {
    let contents: Journal.Contents
    do throws(JournalError) {
      contents = try Journal.read(path)
    } catch {
      throw MeshError(.badInput, "\(path) is no backup that can be restored: \(error.description)")
    }
    if mkdir(store, 0o700) != 0, errno != EEXIST { throw failure(store) }
    let lock = try StoreLock(store)
    defer { withExtendedLifetime(lock) {} }
    for name in ["journal.sqlite", "journal.sqlite-wal"] where access("\(store)/\(name)", F_OK) == 0
    {
      throw MeshError(
        .badInput,
        "--store \(store): there is a journal in it already; move \(name) away, or give"
          + " another directory")
    }
    var summary = Summary(term: contents.term, jobs: contents.entries.count, bytes: 0)
    var entries: [Journal.Entry] = []
    for entry in contents.entries {
      var image = try JobImage(entry)
      if image.beginAnew() { summary.requeued.append(image.job) }
      if image.needsInputs == true, access("\(store)/\(image.job)", F_OK) != 0 {
        summary.withoutInputs.append(image.job)
      }
      if image.state == .done, !image.isDiscarded, access("\(store)/\(image.job)", F_OK) != 0 {
        summary.withoutResult.append(image.job)
      }
      entries.append(image.entry())
    }
    try write(Journal.Contents(term: contents.term, entries: entries), to: store)
    return summary
  }

  /// A crash leaves the whole journal or none.
  private static func write(_ contents: Journal.Contents, to store: String) throws(MeshError) {
    let temporary = "\(store)/restore.new"
    removeRemains(temporary)
    guard mkdir(temporary, 0o700) == 0 else { throw failure(temporary) }
    defer { removeRemains(temporary) }
    do throws(JournalError) {
      try Journal.create(contents, directory: temporary)
    } catch {
      throw MeshError(.jobFailed, "--store \(store): \(error.description)")
    }
    let journal = temporary + "/journal.sqlite"
    guard sync(journal), rename(journal, store + "/journal.sqlite") == 0, sync(store) else {
      throw failure(store)
    }
  }

  private static func removeRemains(_ directory: String) {
    for name in ["journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm"] {
      unlink("\(directory)/\(name)")
    }
    rmdir(directory)
  }

  private static func checkTarget(_ path: String, replaces: Bool) throws(MeshError) {
    var status = stat()
    guard lstat(path, &status) == 0 else { return }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw MeshError(.badInput, "\(path) isn't a regular file; give another name")
    }
    guard replaces else {
      throw MeshError(
        .badInput, "\(path) is there already; give another name, or --force to replace it")
    }
  }

  /// Makes a file, or the names in a directory, durable.
  private static func sync(_ path: String) -> Bool {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    defer { if file >= 0 { close(file) } }
    return file >= 0 && fsync(file) == 0
  }

  private static func failure(_ path: String) -> MeshError {
    MeshError(.jobFailed, "\(path): \(systemReason(errno, at: path))")
  }
}
