internal import Checksums

/// CRC32C of what a row means: SQLite finds damage to its trees, and not to the values in them.
enum JournalChecksum {
  static func term(_ term: Int64) -> Int64 { Int64(extend(0, term)) }

  static func entry(_ entry: Journal.Entry) -> Int64 {
    var crc = extend(0, Int64(entry.number))
    crc = extend(crc, Int64(entry.id.utf8.count))
    for bytes in [Array(entry.id.utf8), entry.image] {
      crc = bytes.withUnsafeBytes { crc32c($0, extending: crc) }
    }
    return Int64(crc)
  }

  private static func extend(_ crc: UInt32, _ value: Int64) -> UInt32 {
    withUnsafeBytes(of: value.littleEndian) { crc32c($0, extending: crc) }
  }
}
