internal import Glibc
package import MeshCore

/// A directory of checkpoints. Several processes, also on other machines, may share it.
package final class CheckpointDirectory: Sendable {
  /// As the user spelled it.
  package let path: String
  private let descriptor: FileDescriptor

  /// Opens the directory, or makes it where its parent exists.
  package init(path: String) throws(CheckpointError) {
    let isNew = mkdir(path, 0o700) == 0
    guard isNew || errno == EEXIST else {
      throw .system(errno, "create the directory \(path)")
    }
    let number = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard number >= 0 else { throw .system(errno, "open the directory \(path)") }
    self.path = path
    descriptor = FileDescriptor(number: number)
    guard isNew else { return }
    let parent = openat(number, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard parent >= 0 else { throw .system(errno, "open the parent of \(path)") }
    try flush(FileDescriptor(number: parent))
  }

  /// Makes a file in the directory and removes it: permissions don't tell, neither to root nor of a
  /// file system that takes no files. A full disk may have room again when it counts.
  package func probe() throws(CheckpointError) {
    let name = ".probe-\(getpid())-\(UInt64.random(in: 0...UInt64.max))"
    let number = openat(
      descriptor.number, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
    guard number >= 0 else {
      let error = CheckpointError.system(errno, "make a file in \(path)")
      if case .noSpace = error { return }
      throw error
    }
    close(number)
    guard unlinkat(descriptor.number, name, 0) == 0 else {
      throw .system(errno, "remove a file from \(path)")
    }
  }

  /// Opens a file in the directory, never through a link. O_NONBLOCK: opening a pipe must not wait
  /// for its other end. It means nothing to regular files.
  ///
  /// - Returns: nil with `errno` set where that fails.
  func open(_ name: CheckpointName, _ flags: Int32) -> FileDescriptor? {
    let number = openat(
      descriptor.number, "\(name)", flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0o600)
    return number >= 0 ? FileDescriptor(number: number) : nil
  }

  /// Gives a finished file its name, durably.
  func publish(_ name: CheckpointName) throws(CheckpointError) {
    let renamed = renameat(
      descriptor.number, "\(name.partial)", descriptor.number, "\(name)")
    guard renamed == 0 else { throw .system(errno, "name a checkpoint") }
    try flush(descriptor)
  }

  /// Removes a file. One that is not there is as good as removed.
  func remove(_ name: CheckpointName) throws(CheckpointError) {
    guard unlinkat(descriptor.number, "\(name)", 0) == 0 || errno == ENOENT else {
      throw .system(errno, "remove the checkpoint \(name)")
    }
  }

  /// The checkpoint files whose names begin with `prefix`, also those still being made.
  func names(beginningWith prefix: String) throws(CheckpointError) -> [CheckpointName] {
    // A new description: its position is its own.
    let number = openat(descriptor.number, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard number >= 0, let listing = fdopendir(number) else {
      let code = errno
      if number >= 0 { close(number) }
      throw .system(code, "list the directory \(path)")
    }
    defer { closedir(listing) }
    var names: [CheckpointName] = []
    while true {
      errno = 0
      guard let entry = readdir(listing) else { break }
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { text in
          // First the bytes: a shared directory holds mostly others' files.
          strncmp(text, prefix, prefix.utf8.count) == 0
            ? CheckpointName(String(cString: text)) : nil
        }
      }
      if let name { names.append(name) }
    }
    guard errno == 0 else { throw .system(errno, "list the directory \(path)") }
    return names
  }

  private func flush(_ directory: borrowing FileDescriptor) throws(CheckpointError) {
    // Some file systems cannot flush a directory (EINVAL); the file is there nonetheless.
    guard fsync(directory.number) == 0 || errno == EINVAL else {
      throw .system(errno, "flush the directory \(path)")
    }
  }
}

// MARK: Removal

extension CheckpointDirectory {
  /// Removes the checkpoints of a virtual rank of lower epochs than this.
  package func remove(
    job: JobID, vrank: VRank, olderThan epoch: Epoch
  ) throws(CheckpointError) {
    try remove(beginningWith: CheckpointName.prefix(job, vrank)) { $0.epoch < epoch }
  }

  /// Removes all checkpoints of a job.
  package func remove(job: JobID) throws(CheckpointError) {
    try remove(beginningWith: CheckpointName.prefix(job)) { _ in true }
  }

  /// Removes what other jobs left: all of lower epochs than this one, which is the job's own.
  ///
  /// One job runs at a time, and epochs rise from one to the next: those of lower epochs are over. A
  /// worker that is late with a job that has ended can't touch the files of the one that runs.
  package func remove(olderThan epoch: Epoch, except job: JobID) throws(CheckpointError) {
    try remove(beginningWith: "") { $0.job != job && $0.epoch < epoch }
  }

  /// Tries all of them, then reports the first failure.
  private func remove(
    beginningWith prefix: String, where isObsolete: (CheckpointName) -> Bool
  ) throws(CheckpointError) {
    var failure: CheckpointError?
    for name in try names(beginningWith: prefix) where isObsolete(name) {
      do throws(CheckpointError) { try remove(name) } catch { failure = failure ?? error }
    }
    if let failure { throw failure }
  }
}
