internal import Glibc
internal import MeshCore

/// Where a coordinator keeps its jobs' files: in a directory of its own, or in files without names.
struct StoreDirectory: Sendable {
  let path: String
  /// Files outlive the process.
  let isNamed: Bool

  func create(_ job: JobID, _ spec: AttentionJob) throws(CallFailure) -> JobFiles {
    try JobFiles(spec: spec, in: path, name: isNamed ? "\(job)" : nil)
  }

  /// Higher than that of every coordinator that had this store before: messages of an older one are
  /// refused by it. Without a store there is no older one to tell from.
  let term: UInt64

  /// Files without names, in a directory that exists.
  static func unnamed(in path: String) -> StoreDirectory {
    StoreDirectory(path: path, isNamed: false, term: UInt64(max(1, time(nil))))
  }

  /// Opens a store that keeps files by name. One coordinator at a time has it: the lock goes with the
  /// process. What an earlier one left is removed: its jobs ended with it.
  static func open(_ path: String) throws(MeshError) -> StoreDirectory {
    if mkdir(path, 0o700) != 0, errno != EEXIST {
      throw MeshError(
        .badInput, "--store \(path): \(String(cString: strerror(errno))); give another directory")
    }
    let lock = Glibc.open(path + "/lock", O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard lock >= 0 else {
      throw MeshError(.badInput, "--store \(path): \(String(cString: strerror(errno)))")
    }
    guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
      close(lock)
      throw MeshError(.badInput, "--store \(path): another coordinator has it")
    }
    // The lock's descriptor stays open, and with it the lock, until the process ends.
    removeJobs(in: path)
    return StoreDirectory(path: path, isNamed: true, term: try nextTerm(in: path))
  }

  /// Counts the coordinators that had the store. Raised on disk before it is used.
  private static func nextTerm(in path: String) throws(MeshError) -> UInt64 {
    let name = path + "/term"
    var buffer = [UInt8](repeating: 0, count: 32)
    let old = Glibc.open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    let count = old < 0 ? 0 : read(old, &buffer, buffer.count)
    if old >= 0 { close(old) }
    let last = UInt64(String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)) ?? 0
    // A worker may follow a coordinator without a store, whose term was the time.
    let term = max(last &+ 1, UInt64(max(1, time(nil))))
    let text = Array("\(term)".utf8)
    let file = Glibc.open(
      name + ".new", O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0o600)
    defer { if file >= 0 { close(file) } }
    guard file >= 0, write(file, text, text.count) == text.count, fsync(file) == 0,
      rename(name + ".new", name) == 0
    else {
      throw MeshError(.badInput, "--store \(path): \(String(cString: strerror(errno)))")
    }
    return term
  }

  private static func removeJobs(in path: String) {
    for name in names(inDirectory: path) where JobID(name) != nil {
      let job = path + "/" + name
      for tensor in InputTensor.allCases { unlink(job + "/\(tensor)") }
      for tensor in OutputTensor.allCases { unlink(job + "/\(tensor)") }
      rmdir(job)
    }
  }
}
