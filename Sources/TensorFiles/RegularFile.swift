internal import ElementTypes
internal import Glibc

/// An open file descriptor, closed when it goes out of scope.
struct FileDescriptor: ~Copyable, Sendable {
  let number: Int32

  deinit { close(number) }
}

/// A regular file opened for reading, as it was at that moment: what is read of it later is of the
/// same version, or refused.
///
/// Read with `pread` only: a mapped file that somebody truncates kills the process with SIGBUS.
struct RegularFile: ~Copyable, Sendable {
  private let descriptor: FileDescriptor
  /// The path as the user spelled it, for messages.
  let path: String
  /// What it was when it was opened.
  let identity: FileIdentity

  /// Length in bytes.
  var byteCount: Int { identity.byteCount }

  /// Opens a file. What can be read once only, such as a pipe, is first taken into a spool.
  ///
  /// - Parameter waiting: told when nothing comes through a pipe.
  /// - Throws: `.system` where it cannot be opened; `.unsupported` where it is a directory, a device or
  ///   a terminal; what is wrong with a file that comes through a pipe.
  init(
    _ location: TensorLocation, waiting: @escaping (String) -> Void = { _ in }
  ) throws(TensorFileError) {
    let descriptor = try RegularFile.open(location)
    let path = location.fileName
    var status = stat()
    guard fstat(descriptor.number, &status) == 0 else { throw .system(errno, path, "inspect") }
    switch status.st_mode & S_IFMT {
    // Standard input may have been read in part.
    case S_IFREG where lseek(descriptor.number, 0, SEEK_CUR) == 0:
      self = try RegularFile(descriptor, path: path)
    case S_IFREG, S_IFIFO, S_IFSOCK:
      self = try PipeIntake(descriptor, path: path, waiting: waiting).file()
    case S_IFDIR: throw TensorFileError(.unsupported, path, "is a directory, not a file")
    default:
      throw TensorFileError(
        .unsupported, path,
        isatty(descriptor.number) == 1 ? "is a terminal" : "is not a regular file and no pipe",
        advice: "give a file, or pipe a tensor into it")
    }
  }

  /// Takes over what is open for reading.
  init(_ descriptor: consuming FileDescriptor, path: String) throws(TensorFileError) {
    var status = stat()
    guard fstat(descriptor.number, &status) == 0 else { throw .system(errno, path, "inspect") }
    self.descriptor = descriptor
    self.path = path
    identity = FileIdentity(status)
    identity.waitForNextTick()
  }

  private static func open(_ location: TensorLocation) throws(TensorFileError) -> FileDescriptor {
    // O_NONBLOCK: opening a FIFO must not wait for a writer. It means nothing to regular files.
    let number =
      location.path == TensorLocation.standardInput
      ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
      : Glibc.open(location.path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
    guard number >= 0 else { throw .system(errno, location.fileName, "open") }
    return FileDescriptor(number: number)
  }

  /// Fills the buffer from a byte offset of the file.
  ///
  /// - Throws: `.malformed` where the file ends first; `.changed` where it isn't any more what was
  ///   opened; `.system` where reading fails.
  func read(
    at offset: Int, into buffer: UnsafeMutableRawBufferPointer
  ) throws(TensorFileError) {
    guard let base = buffer.baseAddress else { return }
    var filled = 0
    while filled < buffer.count {
      let count = pread(
        descriptor.number, base + filled, buffer.count - filled, off_t(offset + filled))
      if count > 0 {
        filled += count
      } else if count == 0 {
        throw TensorFileError(
          .malformed, path,
          "became shorter while it was read: it ends at byte \(offset + filled), "
            + "\(byteCount) bytes were there when it was opened")
      } else if errno != EINTR {
        throw .system(errno, path, "read at byte \(offset + filled)")
      }
    }
    // A write sets the times first, then the bytes: bytes of a later version are noticed here.
    try checkUnchanged()
  }

  /// Finds out whether anybody has changed the file since it was opened.
  ///
  /// - Throws: `.changed` with what has.
  func checkUnchanged() throws(TensorFileError) {
    var status = stat()
    guard fstat(descriptor.number, &status) == 0 else { throw .system(errno, path, "inspect") }
    guard let difference = identity.difference(from: FileIdentity(status)) else { return }
    throw TensorFileError(
      .changed, path, "changed while it was read: \(difference)",
      advice: "run it again once nobody writes to it")
  }

  /// Reads a range into an array. The caller has bounded `count`.
  func bytes(at offset: Int, count: Int) throws(TensorFileError) -> [UInt8] {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 16)
    defer { buffer.deallocate() }
    try read(at: offset, into: buffer)
    return Array(buffer)
  }
}
