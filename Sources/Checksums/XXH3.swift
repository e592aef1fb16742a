internal import CXXHash

/// A 128-bit XXH3 digest: tells stored bytes from damaged ones. Fast and not cryptographic, so it
/// finds accidents only; `Digest` identifies content.
package struct XXH3Digest: Hashable, Sendable {
  package let high: UInt64
  package let low: UInt64

  package init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }
}

/// The digest of one buffer.
package func xxh3(_ bytes: UnsafeRawBufferPointer) -> XXH3Digest {
  let digest = attnmesh_xxh3(bytes.baseAddress, bytes.count)
  return XXH3Digest(high: digest.high64, low: digest.low64)
}
