internal import ElementTypes
internal import Glibc

/// An open file descriptor, closed when it goes out of scope.
struct FileDescriptor: ~Copyable, Sendable {
  let number: Int32

  deinit { close(number) }
}

/// A regular file opened for reading, with its length at that moment.
///
/// Read with `pread` only: a mapped file that somebody truncates kills the process with SIGBUS.
struct RegularFile: ~Copyable, Sendable {
  private let descriptor: FileDescriptor
  /// The path as the user spelled it, for messages.
  let path: String
  /// Length in bytes when it was opened.
  let byteCount: Int

  /// Opens a file.
  ///
  /// - Throws: `.system` where it cannot be opened; `.unsupported` where it is a directory, pipe,
  ///   device or socket.
  init(path: String) throws(TensorFileError) {
    // O_NONBLOCK: opening a FIFO must not wait for a writer. It means nothing to regular files.
    let number = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
    guard number >= 0 else { throw .system(errno, path, "open") }
    let descriptor = FileDescriptor(number: number)
    var status = stat()
    guard fstat(number, &status) == 0 else { throw .system(errno, path, "inspect") }
    switch status.st_mode & S_IFMT {
    case S_IFREG: break
    case S_IFDIR: throw TensorFileError(.unsupported, path, "is a directory, not a file")
    default:
      throw TensorFileError(
        .unsupported, path, "is not a regular file",
        advice: "tensors are read more than once; copy it to a file first")
    }
    self.descriptor = descriptor
    self.path = path
    self.byteCount = Int(status.st_size)
  }

  /// Fills the buffer from a byte offset of the file.
  ///
  /// - Throws: `.malformed` where the file ends first; `.system` where reading fails.
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
  }

  /// Reads a range into an array. The caller has bounded `count`.
  func bytes(at offset: Int, count: Int) throws(TensorFileError) -> [UInt8] {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 16)
    defer { buffer.deallocate() }
    try read(at: offset, into: buffer)
    return Array(buffer)
  }
}
