internal import Glibc

/// A temporary file without a name: it is gone when it is closed, however this process ends.
struct Spool: ~Copyable, Sendable {
  private let descriptor: FileDescriptor
  private let directory: String
  /// For whose sake it is there, for messages.
  private let path: String

  /// Makes it in TMPDIR, or where large temporary files go.
  ///
  /// - Throws: `.system` where there is no such directory.
  init(for path: String) throws(TensorFileError) {
    let directory = Self.directory
    // By hand: Glibc's module does not export the macro. The value is the same on x86-64 and arm64.
    let temporary = 0o20_000_000 | O_DIRECTORY
    var number = open(directory, temporary | O_RDWR | O_CLOEXEC, 0o600)
    if number < 0 {
      // Some file systems have no files without a name.
      var template = Array("\(directory)/attnmesh-XXXXXX".utf8CString)
      number = mkstemp(&template)
      if number >= 0 {
        unlink(template)
        _ = fcntl(number, F_SETFD, FD_CLOEXEC)
      }
    }
    guard number >= 0 else {
      throw .system(
        errno, path, "make a temporary file in '\(printable(directory, limit: 4096))'",
        advice: "set TMPDIR to a directory with space")
    }
    descriptor = FileDescriptor(number: number)
    self.directory = directory
    self.path = path
  }

  /// TMPDIR, or where large temporary files go.
  static var directory: String {
    let named = getenv("TMPDIR").map { String(cString: $0) } ?? ""
    return !named.isEmpty ? named : access("/var/tmp", W_OK) == 0 ? "/var/tmp" : "/tmp"
  }

  /// Makes it so many bytes long, and reserves the space for them: what isn't written is zero.
  func reserve(byteCount: Int) throws(TensorFileError) {
    let place = "'\(printable(directory, limit: 4096))'"
    let advice = "set TMPDIR to a directory with space"
    if let free = descriptor.freeBytes, free < byteCount {
      throw .system(
        ENOSPC, path, "take \(byteCount) bytes into \(place) where \(free) are free", advice: advice
      )
    }
    let code = descriptor.reserve(byteCount)
    guard code == 0 else {
      throw .system(code, path, "take \(byteCount) bytes into \(place)", advice: advice)
    }
  }

  /// Lets go of what was reserved beyond so many bytes.
  func shorten(to byteCount: Int) throws(TensorFileError) {
    guard ftruncate(descriptor.number, off_t(byteCount)) == 0 else {
      throw .system(errno, path, "shorten a temporary file")
    }
  }

  func write(at offset: Int, bytes: UnsafeRawBufferPointer) throws(TensorFileError) {
    try descriptor.write(at: offset, bytes: bytes, path: path)
  }

  /// What has been written so far, to be read.
  func contents() throws(TensorFileError) -> RegularFile {
    let number = fcntl(descriptor.number, F_DUPFD_CLOEXEC, 0)
    guard number >= 0 else { throw .system(errno, path, "open again") }
    return try RegularFile(FileDescriptor(number: number), path: path)
  }
}

extension FileDescriptor {
  /// Bytes that are free where the file is; nil where that isn't known.
  var freeBytes: Int? {
    var space = statvfs()
    guard fstatvfs(number, &space) == 0 else { return nil }
    let (free, overflow) = UInt64(space.f_bavail).multipliedReportingOverflow(
      by: UInt64(space.f_frsize))
    return overflow ? nil : Int(clamping: free)
  }

  /// Makes the file so many bytes long, and reserves the space for them.
  ///
  /// - Returns: 0, or the error's number.
  func reserve(_ byteCount: Int) -> Int32 {
    var code: Int32
    repeat { code = posix_fallocate(number, 0, off_t(byteCount)) } while code == EINTR
    guard code == EOPNOTSUPP || code == EINVAL else { return code }
    // A file system that reserves nothing tells that it is full when it is written to.
    return ftruncate(number, off_t(byteCount)) == 0 ? 0 : errno
  }

  /// Writes all the bytes at an offset of the file.
  func write(
    at offset: Int, bytes: UnsafeRawBufferPointer, path: String
  ) throws(TensorFileError) {
    guard let base = bytes.baseAddress else { return }
    var written = 0
    while written < bytes.count {
      let count = pwrite(number, base + written, bytes.count - written, off_t(offset + written))
      if count > 0 {
        written += count
      } else if count == 0 || errno != EINTR {
        throw .system(count == 0 ? EIO : errno, path, "write at byte \(offset + written)")
      }
    }
  }
}
