internal import Glibc
package import MeshCore
internal import Synchronization

/// The checkpoints of one virtual rank in one epoch: a file of two slots.
///
/// Calls on several threads take turns. A write lasts as long as the disk needs.
package final class CheckpointFile: Sendable {
  /// What is known of a slot that holds a whole state.
  private struct WrittenSlot {
    let generation: UInt64
    let entries: [PartEntry]
  }

  private struct State {
    var slots = [WrittenSlot?](repeating: nil, count: CheckpointSlot.allCases.count)
    /// A write failed. The kernel may have dropped any page of it and taken it for clean, so
    /// nothing in this file can be made durable any more.
    var isDead = false

    var nextSlot: CheckpointSlot {
      guard let a = slots[0] else { return .a }
      guard let b = slots[1] else { return .b }
      return a.generation < b.generation ? .a : .b
    }
  }

  /// Bytes after which a batch is written: it is copied while it is still in the cache from being
  /// digested, which everything in one call would not be.
  private static let batchBytesMaximum = 1 << 19
  /// The kernel's limit for one call, UIO_MAXIOV.
  private static let batchPartsMaximum = 1024

  package let identity: CheckpointIdentity
  package let epoch: Epoch
  private let layout: SlotLayout
  private let directory: CheckpointDirectory
  private let name: CheckpointName
  private let file: FileDescriptor
  private let state = Mutex(State())

  init(
    identity: CheckpointIdentity, epoch: Epoch, layout: SlotLayout, directory: CheckpointDirectory,
    name: CheckpointName, file: consuming FileDescriptor
  ) {
    self.identity = identity
    self.epoch = epoch
    self.layout = layout
    self.directory = directory
    self.name = name
    self.file = file
  }

  /// The slot to write next: an unwritten one, or the one with the older state.
  package var nextSlot: CheckpointSlot { state.withLock { $0.nextSlot } }

  /// Writes a state into a slot and returns when it is durable.
  ///
  /// - Parameters:
  ///   - slot: `nextSlot`; never the one with the newest state.
  ///   - next: the next tile that the state folds.
  ///   - generation: higher than that of every state written to this file.
  ///   - first: parts before this one are the same as in this slot's previous state and are not
  ///     written again; 0 in a slot without one.
  ///   - payload: the bytes of a part, asked once for each part from `first` on. They must stay as
  ///     they are until this returns: they are written from where they are.
  /// - Throws: `.stale` and `.unfit` before anything is written. After any other failure of the write
  ///   or the flush this file takes no more: create another one, which replaces it.
  package func write(
    slot: CheckpointSlot, next: Int, generation: UInt64, first: Int,
    payload: (Int) -> UnsafeRawBufferPointer
  ) throws(CheckpointError) {
    try state.withLock { state throws(CheckpointError) in
      guard !state.isDead else {
        throw .io(operation: "write a checkpoint after a failed write", code: EIO)
      }
      let others = try admittedNames()
      let previous = state.slots[slot.rawValue]
      if let problem = problem(with: slot, generation, first: first, state) {
        throw .unfit(problem)
      }
      guard
        let header = UInt32(exactly: next).map({
          SlotHeader(epoch: epoch, generation: generation, next: $0)
        })
      else { preconditionFailure("\(name): \(next) is no tile") }

      state.slots[slot.rawValue] = nil
      state.isDead = true
      let kept = previous?.entries.prefix(first) ?? []
      let entries = try writeParts(
        at: layout.offset(of: slot), after: kept, next: header.next, payload)
      // After the parts: a process that is killed in between leaves a header that tells the older
      // state, and the other slot is tried first. The digests hold in any order.
      try writeHead(at: layout.offset(of: slot), header, entries)
      try file.flushData()
      state.slots[slot.rawValue] = WrittenSlot(generation: generation, entries: entries)
      state.isDead = false

      // There is a durable state in this file now, so those that failed before it can go. One that
      // can't be removed goes with the job.
      for other in others where other.epoch == epoch && other.attempt < name.attempt {
        try? directory.remove(other)
      }
    }
  }

  /// Why a state may not be written there: whoever asks for it may have lost sight of the file in a
  /// failure, and what is in it stays good.
  private func problem(
    with slot: CheckpointSlot, _ generation: UInt64, first: Int, _ state: State
  ) -> String? {
    if slot != state.nextSlot { return "slot \(slot) of \(name) has the newest state" }
    guard state.slots.allSatisfy({ $0.map { $0.generation < generation } ?? true }) else {
      return "\(name) has a state as new as \(generation)"
    }
    let parts = state.slots[slot.rawValue]?.entries.count ?? 0
    guard (0...parts).contains(first) else {
      return "slot \(slot) of \(name) has no state to keep \(first) parts of"
    }
    return nil
  }

  /// All files of the virtual rank.
  ///
  /// - Throws: `.stale` where this file is no longer the one to write.
  private func admittedNames() throws(CheckpointError) -> [CheckpointName] {
    // First, since the directory may be gone as well.
    guard try file.status().st_nlink > 0 else {
      let names = try? directory.names(
        beginningWith: CheckpointName.prefix(identity.job, identity.vrank))
      throw .stale((names ?? []).map(\.epoch).reduce(epoch, max))
    }
    let names = try directory.names(
      beginningWith: CheckpointName.prefix(identity.job, identity.vrank))
    try directory.admit(epoch, among: names)
    return names
  }

  /// Writes the parts after `kept`, a batch at a time.
  ///
  /// - Returns: the whole table.
  private func writeParts(
    at slotOffset: Int, after kept: ArraySlice<PartEntry>, next: UInt32,
    _ payload: (Int) -> UnsafeRawBufferPointer
  ) throws(CheckpointError) -> [PartEntry] {
    var entries = Array(kept)
    entries.reserveCapacity(layout.partBytes.count)
    var batch: [iovec] = []
    var batchBytes = 0
    for index in kept.count..<layout.partBytes.count {
      let part = payload(index)
      precondition(
        part.count == layout.partBytes[index], "\(name): part \(index) has \(part.count) bytes")
      entries.append(PartEntry(of: part, next: next))
      batch.append(
        iovec(iov_base: UnsafeMutableRawPointer(mutating: part.baseAddress), iov_len: part.count))
      batchBytes += part.count
      if batchBytes >= Self.batchBytesMaximum || batch.count == Self.batchPartsMaximum
        || index == layout.partBytes.count - 1
      {
        let end = layout.partOffsets[index] + part.count
        try file.write(&batch, at: slotOffset + end - batchBytes)
        batchBytes = 0
      }
    }
    return entries
  }

  private func writeHead(
    at slotOffset: Int, _ header: SlotHeader, _ entries: [PartEntry]
  ) throws(CheckpointError) {
    let head = UnsafeMutableRawBufferPointer.allocate(
      byteCount: layout.headBytes, alignment: SlotLayout.pageBytes)
    defer { head.deallocate() }
    head.initializeMemory(as: UInt8.self, repeating: 0)
    let table = UnsafeMutableRawBufferPointer(rebasing: head[SlotLayout.pageBytes...])
    for (index, entry) in entries.enumerated() { entry.encode(into: table, at: index) }
    header.encode(into: head, of: identity, layout: layout)
    var vectors = [iovec(iov_base: head.baseAddress, iov_len: head.count)]
    try file.write(&vectors, at: slotOffset)
  }
}
