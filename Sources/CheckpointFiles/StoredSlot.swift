package import MeshCore

/// A state found in a directory. Header and table are sound; parts are checked when they are read.
///
/// It stays readable when the file is removed. A former owner that still writes its file can make it
/// corrupt, never wrong.
package struct StoredSlot: Sendable {
  package let epoch: Epoch
  package let generation: UInt64
  /// The next tile that the state folds.
  package let next: Int
  /// The same of each part at the time when it was written.
  package let partNext: [Int]
  /// The file's name in the directory, and the slot in it, for the event log.
  package var location: String { "\(file.name) slot \(slot)" }

  let slot: CheckpointSlot
  let file: OpenCheckpoint
  private let entries: [PartEntry]

  /// Checks a slot.
  init(_ slot: CheckpointSlot, in file: OpenCheckpoint) throws(SlotFault) {
    let layout = file.layout
    let start = layout.offset(of: slot)
    guard start + layout.slotBytes <= file.byteCount else { throw .truncated }
    let head = UnsafeMutableRawBufferPointer.allocate(
      byteCount: layout.headBytes, alignment: SlotLayout.pageBytes)
    defer { head.deallocate() }
    try file.read(at: start, into: head)
    let bytes = UnsafeRawBufferPointer(head)
    let header = try SlotHeader(
      head: bytes, of: file.identity, epoch: file.name.epoch, layout: layout)
    let table = UnsafeRawBufferPointer(rebasing: bytes[SlotLayout.pageBytes...])
    let entries = layout.partBytes.indices.map { PartEntry(in: table, at: $0) }
    let padding = UnsafeMutableRawBufferPointer(
      rebasing: head.prefix(layout.slotBytes - layout.endOffset))
    try file.read(at: start + layout.endOffset, into: padding)
    guard padding.allSatisfy({ $0 == 0 }) else { throw .padding }

    self.slot = slot
    self.file = file
    self.entries = entries
    epoch = header.epoch
    generation = header.generation
    next = Int(header.next)
    partNext = entries.map { Int($0.next) }
  }

  /// Whether to restore from this one first.
  func isBetter(than other: StoredSlot) -> Bool {
    // The same state twice: written again after a failure, whose file may be on a bad disk.
    if epoch == other.epoch, generation == other.generation {
      return file.name.attempt > other.file.name.attempt
    }
    return CheckpointRules.isBetter(
      (epoch, generation), than: (other.epoch, other.generation))
  }

  /// The CRC32C of a part, as its message carries it.
  package func checksum(ofPart part: Int) -> UInt32 { entries[part].checksum }

  /// Reads a part and checks it.
  ///
  /// - Parameter buffer: of the part's length.
  /// - Throws: `.corrupt` where the bytes aren't the ones that were written; `.io`. The buffer then
  ///   has no meaning.
  package func read(
    part: Int, into buffer: UnsafeMutableRawBufferPointer
  ) throws(CheckpointError) {
    let layout = file.layout
    precondition(
      buffer.count == layout.partBytes[part], "\(location): part \(part) has another size")
    do throws(SlotFault) {
      try file.read(at: layout.offset(of: slot) + layout.partOffsets[part], into: buffer)
    } catch .unreadable(let code) {
      throw .system(code, "read part \(part) of \(location)")
    } catch {
      throw .corrupt("part \(part) of \(location): \(error)")
    }
    let found = PartEntry(of: UnsafeRawBufferPointer(buffer), next: entries[part].next)
    guard found == entries[part] else {
      throw .corrupt("part \(part) of \(location) is damaged")
    }
  }
}

/// An open checkpoint file of an earlier or the present epoch, for reading.
final class OpenCheckpoint: Sendable {
  let name: CheckpointName
  let identity: CheckpointIdentity
  let layout: SlotLayout
  /// Its length when it was opened.
  let byteCount: Int
  private let descriptor: FileDescriptor

  init(
    name: CheckpointName, identity: CheckpointIdentity, layout: SlotLayout, byteCount: Int,
    descriptor: consuming FileDescriptor
  ) {
    self.name = name
    self.identity = identity
    self.layout = layout
    self.byteCount = byteCount
    self.descriptor = descriptor
  }

  /// Fills the buffer.
  func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(SlotFault) {
    let count: Int
    do throws(CheckpointError) {
      count = try descriptor.read(at: offset, into: buffer)
    } catch {
      guard case .io(_, let code) = error else { throw .truncated }
      throw .unreadable(code: code)
    }
    guard count == buffer.count else { throw .truncated }
  }
}
