internal import Glibc

/// An open file descriptor, closed when it goes out of scope.
struct FileDescriptor: ~Copyable, Sendable {
  let number: Int32

  deinit { close(number) }

  /// The file's status.
  func status() throws(CheckpointError) -> stat {
    var status = stat()
    guard fstat(number, &status) == 0 else { throw .system(errno, "inspect a checkpoint") }
    return status
  }

  /// Fills the buffer from an offset. Less than its length only where the file ends.
  func read(
    at offset: Int, into buffer: UnsafeMutableRawBufferPointer
  ) throws(CheckpointError) -> Int {
    guard let base = buffer.baseAddress else { return 0 }
    var filled = 0
    while filled < buffer.count {
      let count = pread(number, base + filled, buffer.count - filled, off_t(offset + filled))
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw .system(errno, "read a checkpoint") }
      if count == 0 { break }
      filled += count
    }
    return filled
  }

  /// Writes all the bytes of the vectors from an offset on, and leaves the vectors empty.
  func write(_ vectors: inout [iovec], at offset: Int) throws(CheckpointError) {
    defer { vectors.removeAll(keepingCapacity: true) }
    var offset = offset
    var first = 0
    while first < vectors.count {
      let count = vectors.withUnsafeBufferPointer {
        pwritev(number, $0.baseAddress.map { $0 + first }, Int32($0.count - first), off_t(offset))
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw .system(count < 0 ? errno : EIO, "write a checkpoint") }
      offset += count
      // Skips what is written: after a short write the rest of one vector.
      var left = count
      while first < vectors.count, left >= vectors[first].iov_len {
        left -= vectors[first].iov_len
        first += 1
      }
      if left > 0 {
        vectors[first].iov_base += left
        vectors[first].iov_len -= left
      }
    }
  }

  /// Makes written bytes durable. A failure is final: the kernel has dropped the bytes it could not
  /// write, and a second flush would report success without them.
  func flushData() throws(CheckpointError) {
    guard fdatasync(number) == 0 else { throw .system(errno, "flush a checkpoint") }
  }
}
