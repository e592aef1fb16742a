internal import CSystem
internal import Glibc

/// Memory of this process, as the kernel counts it.
package enum ProcessMemory {
  /// Resident bytes now.
  package static var residentBytes: Int {
    // /proc/self/statm: total and resident pages.
    let fields = contents(of: "/proc/self/statm").split(separator: " ")
    guard fields.count > 1, let pages = Int(fields[1]) else { return 0 }
    return pages * Int(getpagesize())
  }

  /// The most bytes that were resident at once.
  package static var peakBytes: Int {
    for line in contents(of: "/proc/self/status").split(separator: "\n") {
      guard line.hasPrefix("VmHWM:") else { continue }
      return (line.split(whereSeparator: { !$0.isNumber }).first.flatMap { Int($0) } ?? 0) << 10
    }
    return 0
  }

  /// Bytes of the machine that could be had without swapping.
  package static var availableBytes: Int {
    for line in contents(of: "/proc/meminfo").split(separator: "\n") {
      guard line.hasPrefix("MemAvailable:") else { continue }
      return (line.split(whereSeparator: { !$0.isNumber }).first.flatMap { Int($0) } ?? 0) << 10
    }
    return 1 << 30
  }

  /// Has tiles and buffers allocated page-wise, and given back as soon as they are freed. By itself
  /// the allocator soon keeps blocks of their size in its heaps, one a thread, where what is received
  /// on one thread and freed on another leaves holes: a worker's size then grew with the traffic.
  /// Called before threads start.
  package static func keepNoLargeBlocks() { attnmesh_map_blocks_from(64 << 10) }

  /// Gives memory that was freed back to the system.
  package static func returnFreeMemory() { attnmesh_return_free_memory() }

  /// Small files of /proc; empty when unreadable.
  private static func contents(of path: String) -> String {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return "" }
    defer { close(file) }
    var buffer = [UInt8](repeating: 0, count: 8_192)
    let count = read(file, &buffer, buffer.count)
    return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
  }
}
