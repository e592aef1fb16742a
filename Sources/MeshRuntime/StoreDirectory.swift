internal import Glibc
package import MeshCore
package import MeshJournal
internal import TensorFiles

/// Where a coordinator keeps its jobs' files: in a directory of its own, or in files without names.
package struct StoreDirectory: Sendable {
  package let path: String
  /// Higher than that of every coordinator that had this store before: messages of an older one are
  /// refused by it. Without a store there is no older one to tell from.
  package let term: UInt64
  /// What the coordinator must not forget; nil for files without names, which end with it.
  package let journal: Journal?
  private let lock: StoreLock?

  /// Where files without names are.
  static var temporary: String {
    let named = getenv("TMPDIR").map { String(cString: $0) } ?? ""
    return named.isEmpty ? "/tmp" : named
  }

  /// Files without names, in a directory that exists.
  package static func unnamed(in path: String) -> StoreDirectory {
    // In milliseconds, as a journal's: one that is started at once again must not have the same.
    let term = UInt64(max(1, WallClock.milliseconds))
    return StoreDirectory(path: path, term: term, journal: nil, lock: nil)
  }

  /// Opens a store that keeps files by name, with what an earlier coordinator left. One coordinator
  /// at a time has it.
  package static func open(_ path: String) throws(MeshError) -> StoreDirectory {
    if mkdir(path, 0o700) != 0, errno != EEXIST {
      let reason = systemReason(errno, at: path)
      throw MeshError(
        .badInput,
        "--store \(path): \(reason)" + (reason.contains(";") ? "" : "; give another directory"))
    }
    let lock = try StoreLock(path)
    do throws(JournalError) {
      let journal = try Journal(directory: path, now: WallClock.milliseconds)
      return StoreDirectory(path: path, term: journal.term, journal: journal, lock: lock)
    } catch {
      throw MeshError(.badInput, "--store \(path): \(error.description)")
    }
  }

  /// What the journal holds; nothing without one.
  package func entries() throws(MeshError) -> [Journal.Entry] {
    do throws(JournalError) {
      return try journal?.load() ?? []
    } catch {
      throw MeshError(.badInput, "--store \(path): \(error.description)")
    }
  }

  // MARK: Jobs

  package func create(_ job: JobID, _ spec: AttentionJob) throws(CallFailure) -> JobFiles {
    try JobFiles(spec: spec, in: path, name: journal == nil ? nil : "\(job)")
  }

  /// Opens the files of a job that was sealed, and its checksums where inputs are needed.
  ///
  /// - Throws: data loss, telling what is missing or damaged; another failure when that can't be told.
  package func reopen(
    _ job: JobID, _ spec: AttentionJob, needsInputs: Bool
  ) throws(CallFailure) -> (JobFiles, TileChecksums?) {
    if let problem = spec.problem { throw lost("job \(job) can't be computed: \(problem)") }
    let directory = try JobDirectory(reopening: path + "/\(job)")
    let files = try JobFiles(reopening: spec, in: directory, needsInputs: needsInputs)
    guard needsInputs else { return (files, nil) }
    return (files, try TileChecksums(in: directory, of: job, spec))
  }

  /// Removes what is left of a job that isn't open.
  package func remove(_ job: JobID) {
    guard journal != nil, let directory = try? JobDirectory(reopening: path + "/\(job)") else {
      return
    }
    JobFiles.remove(directory)
  }

  /// Removes the files of all jobs but these: nobody answers for them.
  package func removeJobs(except kept: Set<JobID>) {
    for name in names(inDirectory: path) {
      if let job = JobID(name), !kept.contains(job) { remove(job) }
    }
  }
}

/// Keeps other coordinators off a store: until it is let go, or the process ends, however it ends.
final class StoreLock: Sendable {
  private let descriptor: Int32

  init(_ store: String) throws(MeshError) {
    descriptor = open(store + "/lock", O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else {
      throw MeshError(.badInput, "--store \(store): \(systemReason(errno, at: store))")
    }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      throw MeshError(.badInput, "--store \(store): another coordinator has it")
    }
  }

  deinit { if descriptor >= 0 { close(descriptor) } }
}
