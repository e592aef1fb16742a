internal import CChecksums

/// CRC32C (Castagnoli): the checksum of every tile payload, computed once where the tile is made.
package func crc32c(_ bytes: UnsafeRawBufferPointer, extending crc: UInt32 = 0) -> UInt32 {
  attnmesh_crc32c(crc, bytes.baseAddress, bytes.count)
}
