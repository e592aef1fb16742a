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

  /// Opens a store that keeps files by name. One coordinator at a time has it: the lock goes with the
  /// process. What an earlier one left is removed: its jobs ended with it.
  ///
  /// - Returns: the store and the descriptor that holds the lock.
  static func open(_ path: String) throws(MeshError) -> (StoreDirectory, lock: Int32) {
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
    removeJobs(in: path)
    return (StoreDirectory(path: path, isNamed: true), lock)
  }

  private static func removeJobs(in path: String) {
    guard let listing = opendir(path) else { return }
    defer { closedir(listing) }
    while let entry = readdir(listing) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      guard JobID(name) != nil else { continue }
      let job = path + "/" + name
      for tensor in InputTensor.allCases { unlink(job + "/\(tensor)") }
      for tensor in OutputTensor.allCases { unlink(job + "/\(tensor)") }
      rmdir(job)
    }
  }
}
