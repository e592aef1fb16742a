internal import Glibc

/// Which file it is, and which version of it: the same for as long as nobody writes to the file.
package struct FileIdentity: Hashable, Sendable {
  /// The file, whatever its name: two links to one file have the same.
  package struct Node: Hashable, Sendable {
    let device: UInt64
    let inode: UInt64

    init(_ status: stat) {
      device = UInt64(status.st_dev)
      inode = UInt64(status.st_ino)
    }

    /// The file that a path leads to, through links; nil where there is none.
    package init?(path: String) {
      var status = stat()
      guard stat(path, &status) == 0 else { return nil }
      self.init(status)
    }

    /// The file of an input, which may be standard input.
    package init?(input path: String) {
      var status = stat()
      let isThere =
        path == TensorLocation.standardInput
        ? fstat(STDIN_FILENO, &status) == 0 : stat(path, &status) == 0
      guard isThere else { return nil }
      self.init(status)
    }
  }

  /// A time as the file system keeps it, in nanoseconds since 1970.
  private struct Time: Hashable {
    let seconds: Int
    let nanoseconds: Int

    init(_ time: timespec) {
      seconds = time.tv_sec
      nanoseconds = time.tv_nsec
    }
  }

  package let node: Node
  let byteCount: Int
  private let linkCount: Int
  private let modified: Time
  private let changed: Time

  init(_ status: stat) {
    node = Node(status)
    byteCount = Int(status.st_size)
    linkCount = Int(status.st_nlink)
    modified = Time(status.st_mtim)
    changed = Time(status.st_ctim)
  }

  /// What has changed since, for a message; nil for nothing.
  func difference(from later: FileIdentity) -> String? {
    if self == later { return nil }
    if byteCount != later.byteCount {
      return "it had \(byteCount) bytes and has \(later.byteCount)"
    }
    if modified != later.modified { return "it was written to" }
    // Another file has taken its name, or it has one name more: whoever has it open keeps it whole.
    if linkCount != later.linkCount { return nil }
    // Who restores the time of modification can't restore the time of change.
    return "it was written to, moved, or given other permissions"
  }

  /// Whether a write in this very moment could leave the times as they are: the kernel stamps files
  /// with a clock that ticks every few milliseconds.
  private var isOfThisTick: Bool {
    var now = timespec()
    guard clock_gettime(CLOCK_REALTIME_COARSE, &now) == 0 else { return false }
    return (changed.seconds, changed.nanoseconds) >= (now.tv_sec, now.tv_nsec)
  }

  /// Waits until later writes have a later time. A tick has ten milliseconds at most; a time in the
  /// future, of another machine's clock, is not waited for.
  func waitForNextTick() {
    for _ in 0..<20 where isOfThisTick { usleep(1_000) }
  }
}
