import CheckpointFiles
import Checksums
import MeshCore
import Testing

/// Made-up states of a virtual rank: what each generation holds is known from its number.
struct States: Sendable {
  var identity = CheckpointIdentity(
    job: JobID(high: 0xABCD, low: 7), planHash: SHA256.hash([1, 2, 3]), numerics: "fma-16/3",
    vrank: VRank(5), partBytes: [1000, 700])

  /// Header, table and parts of a slot, whole pages each, and both slots.
  let slotBytes = 4096 * 3
  var fileBytes: Int { 2 * slotBytes }

  static let epoch = Epoch(term: 3, counter: 9)

  func next(_ generation: UInt64) -> Int { Int(generation) * 10 }

  func part(_ part: Int, _ generation: UInt64) -> [UInt8] {
    var random = SplitMix64(seed: generation &* 1000 &+ UInt64(part))
    return (0..<identity.partBytes[part]).map { _ in UInt8(truncatingIfNeeded: random.next()) }
  }

  func parts(_ generation: UInt64) -> [[UInt8]] {
    if identity.partBytes == [1000, 700], generation < Self.usual.count {
      return Self.usual[Int(generation)]
    }
    return identity.partBytes.indices.map { part($0, generation) }
  }

  /// The first generations in the usual two parts: the exhaustive tests compare with them at every
  /// step.
  private static let usual = (UInt64(0)..<8).map { generation in
    let states = States()
    return [states.part(0, generation), states.part(1, generation)]
  }

  /// Writes a generation. Parts before `first` are left as the slot has them.
  func write(_ generation: UInt64, to file: CheckpointFile, first: Int = 0) throws {
    try write(parts(generation), as: generation, to: file, first: first)
  }

  func write(
    _ parts: [[UInt8]], as generation: UInt64, to file: CheckpointFile, first: Int = 0
  ) throws {
    let buffers = parts.map { part in
      let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: part.count, alignment: 64)
      buffer.copyBytes(from: part)
      return buffer
    }
    defer { for buffer in buffers { buffer.deallocate() } }
    try file.write(
      slot: file.nextSlot, next: next(generation), generation: generation, first: first
    ) { UnsafeRawBufferPointer(buffers[$0]) }
  }

  /// A file with generations 2 in slot B and 3 in slot A.
  func makeFile(in scratch: ScratchDirectory, epoch: Epoch = epoch) throws -> CheckpointFile {
    let file = try scratch.checkpoints.create(identity, epoch: epoch)
    for generation in UInt64(1)...3 { try write(generation, to: file) }
    return file
  }

  /// What a worker does to get its state back: the best slot that is whole.
  func restore(
    from scratch: ScratchDirectory
  ) throws -> (generation: UInt64, next: Int, parts: [[UInt8]])? {
    for slot in try scratch.checkpoints.candidates(identity).slots {
      if let parts = try? read(slot) { return (slot.generation, slot.next, parts) }
    }
    return nil
  }

  func read(_ slot: StoredSlot) throws -> [[UInt8]] {
    var parts: [[UInt8]] = []
    for (index, count) in identity.partBytes.enumerated() {
      var part = [UInt8](repeating: 0, count: count)
      let read: Result<Void, CheckpointError> = part.withUnsafeMutableBytes { buffer in
        do throws(CheckpointError) {
          return .success(try slot.read(part: index, into: buffer))
        } catch {
          return .failure(error)
        }
      }
      try read.get()
      parts.append(part)
    }
    return parts
  }

  /// The generation that is restored, if it is exactly what was written as such; 0 for none.
  func restoredGeneration(from scratch: ScratchDirectory) throws -> UInt64? {
    guard let found = try restore(from: scratch) else { return 0 }
    let isExact = found.next == next(found.generation) && found.parts == parts(found.generation)
    return isExact ? found.generation : nil
  }
}
