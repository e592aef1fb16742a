internal import CSystem
internal import Glibc

/// Memory of this process, as the kernel counts it.
package enum ProcessMemory {
  /// Resident bytes now.
  package static var residentBytes: Int { kibibytes("\nVmRSS:", in: "/proc/self/status") ?? 0 }

  /// The most bytes that were resident at once.
  package static var peakBytes: Int { kibibytes("\nVmHWM:", in: "/proc/self/status") ?? 0 }

  /// Bytes of its addresses, whether or not there is memory behind them.
  static var addressBytes: Int { kibibytes("\nVmSize:", in: "/proc/self/status") ?? 0 }

  /// Those of them that it may write to, and shares with nobody.
  static var dataBytes: Int { kibibytes("\nVmData:", in: "/proc/self/status") ?? 0 }

  /// Bytes that this process could still get, whatever sets the bound.
  package static var availableBytes: Int {
    max(0, MemoryRoom.ofProcess(threads: 0).bytes - residentBytes)
  }

  /// Bytes that could be had on this machine without swapping.
  static var machineBytes: Int { kibibytes("\nMemAvailable:", in: "/proc/meminfo") ?? 1 << 30 }

  /// What is left where the kernel promises no more memory than it has; nil where it does.
  static var uncommittedBytes: Int? {
    guard contents(of: "/proc/sys/vm/overcommit_memory").first == CChar(UInt8(ascii: "2")),
      let limit = kibibytes("\nCommitLimit:", in: "/proc/meminfo"),
      let taken = kibibytes("\nCommitted_AS:", in: "/proc/meminfo")
    else { return nil }
    return max(0, limit - taken)
  }

  /// Has tiles and buffers allocated page-wise, and given back as soon as they are freed. By itself
  /// the allocator soon keeps blocks of their size in its heaps, one a thread, where what is received
  /// on one thread and freed on another leaves holes: a worker's size then grew with the traffic.
  /// Called before threads start.
  package static func keepNoLargeBlocks() { attnmesh_map_blocks_from(64 << 10) }

  /// Gives memory that was freed back to the system.
  package static func returnFreeMemory() { attnmesh_return_free_memory() }

  /// Bytes of the line "NAME: number kB". Every heartbeat asks, so the text is never made a string.
  private static func kibibytes(_ name: String, in path: String) -> Int? {
    contents(of: path).withUnsafeBufferPointer { text in
      guard let line = text.baseAddress.flatMap({ strstr($0, name) }) else { return nil }
      return Int(strtoul(line + name.utf8.count, nil, 10)) << 10
    }
  }

  /// Small files of /proc, ended by a zero; empty when unreadable.
  private static func contents(of path: String) -> [CChar] {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return [0] }
    defer { close(file) }
    return [CChar](unsafeUninitializedCapacity: 8_192) { buffer, count in
      count = max(0, read(file, buffer.baseAddress, buffer.count - 1)) + 1
      buffer[count - 1] = 0
    }
  }
}
