internal import Checksums

/// A line of the part table.
///
///     0  u32  next tile to fold when the part was written
///     4  u32  CRC32C, the one its message carries
///     8  u64  XXH3 digest, low half
///     16 u64  XXH3 digest, high half
struct PartEntry: Sendable, Equatable {
  static let byteCount = 24

  let next: UInt32
  let checksum: UInt32
  let digest: XXH3Digest

  /// The entry of a part as it is now. The second pass finds the part in the cache.
  init(of part: UnsafeRawBufferPointer, next: UInt32) {
    self.next = next
    checksum = crc32c(part)
    digest = xxh3(part)
  }

  /// Reads line `index` of a table that is long enough.
  init(in table: UnsafeRawBufferPointer, at index: Int) {
    let offset = index * Self.byteCount
    next = table.integer(at: offset)
    checksum = table.integer(at: offset + 4)
    digest = XXH3Digest(high: table.integer(at: offset + 16), low: table.integer(at: offset + 8))
  }

  /// Writes line `index` of a table that is long enough.
  func encode(into table: UnsafeMutableRawBufferPointer, at index: Int) {
    let offset = index * Self.byteCount
    table.put(next, at: offset)
    table.put(checksum, at: offset + 4)
    table.put(digest.low, at: offset + 8)
    table.put(digest.high, at: offset + 16)
  }
}

// MARK: Little-endian fields

extension UnsafeRawBufferPointer {
  func integer<Integer: FixedWidthInteger & BitwiseCopyable>(at offset: Int) -> Integer {
    Integer(littleEndian: loadUnaligned(fromByteOffset: offset, as: Integer.self))
  }
}

extension UnsafeMutableRawBufferPointer {
  func put(_ value: some FixedWidthInteger & BitwiseCopyable, at offset: Int) {
    storeBytes(of: value.littleEndian, toByteOffset: offset, as: type(of: value))
  }
}
