internal import Checksums
internal import MeshCore

/// The first page of a slot, little-endian. The payload is in the writer's own byte order, which the
/// mark at 6 tells.
///
///     0    "AMCK"
///     4    u16 format
///     6    u16 byte order mark, in the writer's order
///     8    job id: u64 high, u64 low
///     24   plan hash, SHA-256
///     56   numerics fingerprint, 64 bytes, ends with zeros
///     120  u32 virtual rank
///     124  u32 parts
///     128  epoch: u64 term, u64 counter
///     144  u64 generation
///     152  u64 payload bytes
///     160  u32 next tile to fold
///     168  XXH3 digest of the part table with its padding: u64 low, u64 high
///     4092 u32 CRC32C of the 4092 bytes before
struct SlotHeader: Sendable, Equatable {
  private static let magic: UInt32 = 0x4B43_4D41
  private static let format: UInt16 = 1
  private static let byteOrderMark: UInt16 = 0xFEFF
  private static let numericsOffset = 56
  private static let checksumOffset = SlotLayout.pageBytes - 4

  let epoch: Epoch
  let generation: UInt64
  let next: UInt32

  /// Fills the first page of `head`, a slot's header and table. The table is there already, and
  /// everything else is zero.
  func encode(
    into head: UnsafeMutableRawBufferPointer, of identity: CheckpointIdentity, layout: SlotLayout
  ) {
    head.put(Self.magic, at: 0)
    head.put(Self.format, at: 4)
    head.storeBytes(of: Self.byteOrderMark, toByteOffset: 6, as: UInt16.self)
    head.put(identity.job.high, at: 8)
    head.put(identity.job.low, at: 16)
    for (index, byte) in identity.planHash.bytes.enumerated() { head[24 + index] = byte }
    for (index, byte) in identity.numerics.utf8.enumerated() {
      head[Self.numericsOffset + index] = byte
    }
    head.put(UInt32(identity.vrank.index), at: 120)
    head.put(UInt32(layout.partBytes.count), at: 124)
    head.put(epoch.term, at: 128)
    head.put(epoch.counter, at: 136)
    head.put(generation, at: 144)
    head.put(UInt64(layout.payloadBytes), at: 152)
    head.put(next, at: 160)
    let digest = Self.tableDigest(UnsafeRawBufferPointer(head))
    head.put(digest.low, at: 168)
    head.put(digest.high, at: 176)
    head.put(Self.checksum(UnsafeRawBufferPointer(head)), at: Self.checksumOffset)
  }

  /// Reads and checks `head`, a slot's header and table, whose length is the layout's.
  init(
    head: UnsafeRawBufferPointer, of identity: CheckpointIdentity, epoch: Epoch, layout: SlotLayout
  ) throws(SlotFault) {
    guard head.integer(at: 0) == Self.magic else {
      throw head.allSatisfy { $0 == 0 } ? .unwritten : .magic
    }
    let format: UInt16 = head.integer(at: 4)
    guard format == Self.format else { throw .format(format) }
    guard head.loadUnaligned(fromByteOffset: 6, as: UInt16.self) == Self.byteOrderMark else {
      throw .byteOrder
    }
    guard head.integer(at: Self.checksumOffset) == Self.checksum(head) else {
      throw .headerChecksum
    }
    let job = JobID(high: head.integer(at: 8), low: head.integer(at: 16))
    guard job == identity.job else { throw .job(job) }
    guard head[24..<56].elementsEqual(identity.planHash.bytes) else { throw .plan }
    let numerics = head[Self.numericsOffset..<120]
    guard Self.matches(numerics, identity.numerics) else { throw .numerics(Self.text(numerics)) }
    let vrank: UInt32 = head.integer(at: 120)
    guard vrank == identity.vrank.index else { throw .vrank(vrank) }
    let found = Epoch(term: head.integer(at: 128), counter: head.integer(at: 136))
    guard found == epoch else { throw .epoch(found) }
    let parts: UInt32 = head.integer(at: 124)
    let bytes: UInt64 = head.integer(at: 152)
    guard parts == layout.partBytes.count, bytes == layout.payloadBytes else {
      throw .parts(count: parts, bytes: bytes)
    }
    let digest = XXH3Digest(high: head.integer(at: 176), low: head.integer(at: 168))
    guard digest == Self.tableDigest(head) else { throw .tableDigest }
    self.epoch = found
    generation = head.integer(at: 144)
    next = head.integer(at: 160)
  }

  init(epoch: Epoch, generation: UInt64, next: UInt32) {
    self.epoch = epoch
    self.generation = generation
    self.next = next
  }

  private static func checksum(_ head: UnsafeRawBufferPointer) -> UInt32 {
    crc32c(UnsafeRawBufferPointer(rebasing: head[..<checksumOffset]))
  }

  private static func tableDigest(_ head: UnsafeRawBufferPointer) -> XXH3Digest {
    xxh3(UnsafeRawBufferPointer(rebasing: head[SlotLayout.pageBytes...]))
  }

  private static func matches(_ field: Slice<UnsafeRawBufferPointer>, _ text: String) -> Bool {
    let bytes = text.utf8
    return field.prefix(bytes.count).elementsEqual(bytes)
      && field.dropFirst(bytes.count).allSatisfy { $0 == 0 }
  }

  /// The field fit for a line of a log.
  private static func text(_ field: Slice<UnsafeRawBufferPointer>) -> String {
    let bytes = field.prefix { $0 != 0 }.map { (33...126).contains($0) ? $0 : UInt8(ascii: "?") }
    return String(decoding: bytes, as: UTF8.self)
  }
}
