internal import Glibc
internal import MeshCore

/// How much memory there is, and what sets that bound: the machine, a control group, or a limit of this
/// process, whichever leaves least.
package struct MemoryRoom: Sendable {
  package let bytes: Int
  /// As in "1.20 GiB, LIMIT".
  package let limit: String

  package init(bytes: Int, limit: String) {
    self.bytes = bytes
    self.limit = limit
  }

  /// As much as the number and its reason.
  package var text: String { "\(MeshCore.bytes(bytes)) (\(limit))" }

  /// What one process like this one may have in all, what it has already included.
  ///
  /// - Parameters:
  ///   - threads: that it is about to start.
  ///   - fileBytes: of files that it is about to write and that are kept in memory. Limits of the process
  ///     don't count them.
  package static func ofProcess(threads: Int, fileBytes: Int = 0) -> MemoryRoom {
    let resident = ProcessMemory.residentBytes
    let shared = ofMachine()
    let files =
      fileBytes == 0
      ? "" : ", less \(MeshCore.bytes(fileBytes)) for the output, whose directory is kept in memory"
    let left = MemoryRoom(
      bytes: max(0, shared.bytes + resident - fileBytes), limit: shared.limit + files)
    return least([left] + ofLimits(threads: threads))
  }

  /// What all processes here share: new ones can have that much together.
  package static func ofMachine() -> MemoryRoom {
    var rooms = [
      MemoryRoom(bytes: ProcessMemory.machineBytes, limit: "available on this machine")
    ]
    if let bytes = ControlGroup().availableBytes {
      rooms.append(MemoryRoom(bytes: bytes, limit: "left of its control group's limit"))
    }
    if let bytes = ProcessMemory.uncommittedBytes {
      rooms.append(MemoryRoom(bytes: bytes, limit: "left of the machine's commit limit"))
    }
    return least(rooms)
  }

  /// What limits of this process leave it. Those count addresses, whether or not there is memory behind
  /// them: threads' stacks and arenas, and the program itself.
  private static func ofLimits(threads: Int) -> [MemoryRoom] {
    let resident = ProcessMemory.residentBytes
    var rooms: [MemoryRoom] = []
    if let limit = softLimit(RLIMIT_AS) {
      let taken = ProcessMemory.addressBytes - resident + threads * (stackBytes + arenaBytes)
      rooms.append(MemoryRoom(bytes: max(0, limit - taken), limit: "by ulimit -v"))
    }
    if let limit = softLimit(RLIMIT_DATA) {
      let taken = max(0, ProcessMemory.dataBytes - resident) + threads * stackBytes
      rooms.append(MemoryRoom(bytes: max(0, limit - taken), limit: "by ulimit -d"))
    }
    return rooms
  }

  /// Address space that the allocator reserves for a thread.
  private static let arenaBytes = 64 << 20

  /// Of a new thread.
  private static var stackBytes: Int { min(softLimit(RLIMIT_STACK) ?? 2 << 20, 1 << 40) }

  private static func least(_ rooms: [MemoryRoom]) -> MemoryRoom {
    guard let least = rooms.min(by: { $0.bytes < $1.bytes }) else {
      preconditionFailure("no room to choose from")
    }
    return least
  }

  private static func softLimit(_ resource: __rlimit_resource) -> Int? {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(resource.rawValue), &limit) == 0,
      limit.rlim_cur < rlim_t(Int.max)
    else { return nil }
    return Int(limit.rlim_cur)
  }
}
