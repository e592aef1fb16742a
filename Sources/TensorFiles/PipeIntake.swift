internal import Glibc

/// Takes a tensor's file from where it can be read once, into a spool: as much of it as its header
/// promises, and no more.
struct PipeIntake: ~Copyable {
  private let source: FileDescriptor
  private let spool: Spool
  private let path: String
  private let waiting: (String) -> Void
  private var byteCount = 0
  private var isAtEnd = false

  /// - Parameter waiting: told when nothing comes, and again every ten seconds.
  init(
    _ source: consuming FileDescriptor, path: String, waiting: @escaping (String) -> Void
  ) throws(TensorFileError) {
    self.source = source
    self.path = path
    self.waiting = waiting
    spool = try Spool(for: path)
  }

  /// Takes all of it.
  ///
  /// - Throws: as opening a file would for what is no tensor file; whether it is whole is for the one
  ///   who opens it to check.
  consuming func file() throws(TensorFileError) -> RegularFile {
    try take(upTo: 12)
    let start = try spool.contents()
    guard byteCount > 0 else { throw .nothingCame(through: path) }
    let isNpy = try TensorLocation.beginsLikeNpy(start)
    let headerEnd =
      isNpy
      ? try NpyHeader.textRange(of: start).end : 8 + (try SafetensorsHeader.textBytes(of: start))
    try take(upTo: headerEnd)
    if byteCount == headerEnd {
      let header = try spool.contents()
      let (dataOffset, dataBytes) = try Self.promise(header, isNpy: isNpy)
      let (total, overflow) = dataOffset.addingReportingOverflow(dataBytes)
      guard !overflow, total < .max else {
        throw TensorFileError(.malformed, path, "its shape is larger than any file can be")
      }
      try spool.reserve(byteCount: total)
      // One byte more tells that it goes on.
      try take(upTo: total + 1)
      if byteCount < total { try spool.shorten(to: byteCount) }
    }
    return try spool.contents()
  }

  private static func promise(
    _ file: borrowing RegularFile, isNpy: Bool
  ) throws(TensorFileError) -> (offset: Int, count: Int) {
    if isNpy {
      let header = try NpyHeader(of: file)
      guard let bytes = try header.dataBytes(path: file.path) else {
        throw header.tensor(of: file).refusal(path: file.path)
      }
      return (header.dataOffset, bytes)
    }
    let header = try SafetensorsHeader(of: file)
    return (header.dataOffset, header.dataBytes)
  }

  private mutating func take(upTo total: Int) throws(TensorFileError) {
    let buffer = UnsafeMutableRawBufferPointer.allocate(
      byteCount: min(1 << 20, max(1, total - byteCount)), alignment: 64)
    defer { buffer.deallocate() }
    while byteCount < total, !isAtEnd {
      waitForBytes()
      let count = read(source.number, buffer.baseAddress, min(buffer.count, total - byteCount))
      if count > 0 {
        try spool.write(
          at: byteCount, bytes: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        byteCount += count
      } else if count == 0 {
        isAtEnd = true
      } else if errno != EINTR, errno != EAGAIN {
        throw .system(errno, path, "read")
      }
    }
  }

  /// Whoever fills a pipe may take as long as it likes; who waits for it says so.
  private func waitForBytes() {
    var place = pollfd(fd: source.number, events: Int16(POLLIN), revents: 0)
    var patience: Int32 = 2_000
    while true {
      let count = poll(&place, 1, patience)
      if count > 0 || (count < 0 && errno != EINTR) { return }
      guard count == 0 else { continue }
      waiting("waiting for a tensor from \(path): nothing comes")
      patience = 10_000
    }
  }
}
