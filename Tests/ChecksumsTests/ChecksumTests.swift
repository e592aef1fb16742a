import Checksums
import Testing

struct ChecksumTests {
  /// CRC32C by its definition, a bit at a time.
  private func reference(_ bytes: some Sequence<UInt8>) -> UInt32 {
    var crc: UInt32 = ~0
    for byte in bytes {
      crc ^= UInt32(byte)
      for _ in 0..<8 { crc = (crc >> 1) ^ (crc & 1 == 0 ? 0 : 0x82F6_3B78) }
    }
    return ~crc
  }

  private func bytes(_ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: ($0 &* 2_654_435_761) >> 13) }
  }

  @Test("CRC32C gives the examples of RFC 3720")
  func knownChecksums() {
    let examples: [([UInt8], UInt32)] = [
      ([UInt8](repeating: 0, count: 32), 0x8A91_36AA),
      ([UInt8](repeating: 0xFF, count: 32), 0x62A8_AB43),
      ((0..<32).map { $0 }, 0x46DD_794E),
      (Array("123456789".utf8), 0xE306_9283),
    ]
    for (bytes, checksum) in examples {
      #expect(bytes.withUnsafeBytes { crc32c($0) } == checksum)
    }
  }

  @Test("CRC32C is the definition's at every length around whole triples of streams")
  func lengths() {
    let all = bytes(13_000)
    let lengths =
      Array(0...40) + [1023, 1024, 3071, 3072, 3073, 3079, 3080, 6143, 6144, 6145, 9216, 12_999]
    all.withUnsafeBytes { buffer in
      for length in lengths {
        for start in [0, 1] {
          let part = UnsafeRawBufferPointer(rebasing: buffer[start..<start + length])
          #expect(crc32c(part) == reference(part), "\(length) bytes from \(start)")
        }
      }
    }
  }

  @Test("CRC32C extends over any cut")
  func extending() {
    let all = bytes(10_000)
    all.withUnsafeBytes { buffer in
      let whole = crc32c(buffer)
      for cut in stride(from: 0, through: 10_000, by: 617) {
        let head = UnsafeRawBufferPointer(rebasing: buffer[..<cut])
        let tail = UnsafeRawBufferPointer(rebasing: buffer[cut...])
        #expect(crc32c(tail, extending: crc32c(head)) == whole)
      }
    }
  }

  @Test("XXH3 of nothing is the published digest, and of much what libxxhash gives without vectors")
  func knownDigests() {
    #expect(
      [UInt8]().withUnsafeBytes { xxh3($0) }
        == XXH3Digest(high: 0x99AA_06D3_0147_98D8, low: 0x6001_C324_468D_497F))
    let long = Array(repeatElement(Array("123456789".utf8), count: 1000).joined())
    #expect(
      long.withUnsafeBytes { xxh3($0) }
        == XXH3Digest(high: 0xBF10_29B0_D2D7_FDA7, low: 0xC67F_8BC8_883D_C503))
  }
}
