internal import Glibc
internal import MeshCore

/// The directory of one job in a store with names. Files are reached through its descriptor, so
/// nothing that is put in its place later is taken for it.
package final class JobDirectory: Sendable {
  let path: String
  private let descriptor: Int32

  /// Creates it.
  init(creating path: String) throws(CallFailure) {
    guard mkdir(path, 0o700) == 0 else { throw storeFailure("create \(path)", errno) }
    self.path = path
    descriptor = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard descriptor >= 0 else {
      let code = errno
      rmdir(path)
      throw storeFailure("open \(path)", code)
    }
  }

  /// Opens what an earlier coordinator left.
  init(reopening path: String) throws(CallFailure) {
    self.path = path
    descriptor = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard descriptor >= 0 else { throw unopened(path, errno) }
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Creates a file and reserves its bytes.
  func create(_ name: String, bytes: Int) throws(CallFailure) -> Int32 {
    let file = openat(
      descriptor, name, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw storeFailure("create \(path)/\(name)", errno) }
    let status = posix_fallocate(file, 0, off_t(bytes))
    guard status == 0 else {
      close(file)
      remove(name)
      throw storeFailure("reserve \(MeshCore.bytes(bytes)) in \(path)", status)
    }
    return file
  }

  /// Opens a file that must be as it was left: of this user, no link, and so long.
  ///
  /// - Throws: data loss when it isn't, another failure when that can't be told.
  func reopen(_ name: String, bytes: Int) throws(CallFailure) -> Int32 {
    // Not waiting, should it be a pipe by now.
    let file = openat(descriptor, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    guard file >= 0 else { throw unopened("\(path)/\(name)", errno) }
    if let problem = problem(with: file, "\(path)/\(name)", bytes: bytes) {
      close(file)
      throw problem
    }
    return file
  }

  private func problem(with file: Int32, _ path: String, bytes: Int) -> CallFailure? {
    var status = stat()
    guard fstat(file, &status) == 0 else { return storeFailure("inspect \(path)", errno) }
    guard status.st_mode & S_IFMT == S_IFREG else { return lost("\(path) isn't a regular file") }
    // Left by a coordinator that somebody else started: it isn't this one's to call lost.
    guard status.st_uid == geteuid() else {
      return CallFailure(.permissionDenied, "\(path) belongs to another user")
    }
    guard status.st_size == bytes else {
      return lost("\(path) has \(status.st_size) bytes instead of \(bytes)")
    }
    return nil
  }

  func remove(_ name: String) { unlinkat(descriptor, name, 0) }

  /// Removes the directory itself, once it is empty.
  func remove() { rmdir(path) }

  /// Makes a small new file durable, and with it other files, their names and that of the directory.
  /// Until this has returned the file may be there in part: nobody may rely on any of them before.
  func save(
    _ contents: [UInt8], as name: String, syncing others: [Int32]
  ) throws(CallFailure) {
    remove(name)
    let file = try create(name, bytes: contents.count)
    defer { close(file) }
    let written = contents.withUnsafeBytes { pwrite(file, $0.baseAddress, $0.count, 0) }
    guard written == contents.count else {
      throw storeFailure("write \(path)/\(name)", written < 0 ? errno : ENOSPC)
    }
    let store = openat(descriptor, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    defer { if store >= 0 { close(store) } }
    guard store >= 0 else { throw storeFailure("open \(path)/..", errno) }
    try DiskSync.sync(files: others + [file], directories: [descriptor, store])
  }

  /// Reads a small file that must have so many bytes.
  func load(_ name: String, bytes: Int) throws(CallFailure) -> [UInt8] {
    let file = try reopen(name, bytes: bytes)
    defer { close(file) }
    var contents = [UInt8](repeating: 0, count: bytes)
    let count = pread(file, &contents, bytes, 0)
    guard count >= 0 else { throw storeFailure("read \(path)/\(name)", errno) }
    guard count == bytes else { throw lost("\(path)/\(name) has only \(count) bytes") }
    return contents
  }
}

/// What an earlier coordinator left isn't all there: only its client can bring it back.
func lost(_ what: String) -> CallFailure {
  CallFailure(.dataLoss, "\(what); submit the job again")
}

/// Only where nothing, or something else, is in a file's place it is lost. A limit, missing rights or a
/// disk with errors say nothing about it.
private func unopened(_ path: String, _ code: Int32) -> CallFailure {
  guard [ENOENT, ENOTDIR, EISDIR, ELOOP, ENXIO].contains(code) else {
    return storeFailure("open \(path)", code)
  }
  return lost("\(path): \(String(cString: strerror(code)))")
}
