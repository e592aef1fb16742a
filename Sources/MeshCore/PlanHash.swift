package import Checksums
internal import ElementTypes

extension Plan {
  /// SHA-256 of everything on which the bits of the result, or the meaning of a tile index, depend.
  /// Every assignment, tile, state and result carries it, and it must match.
  ///
  /// - Parameter numerics: the numerics fingerprint of the workers: arithmetic class and kernel
  ///   version, e.g. "fma-f32-v1".
  package func hash(inputs: InputDigests, numerics: String) -> Digest {
    var bytes = Array("attnmesh plan 1\0".utf8)
    func append(_ value: Int) {
      withUnsafeBytes(of: UInt64(truncatingIfNeeded: value).littleEndian) { bytes += $0 }
    }
    bytes += inputs.query.bytes + inputs.key.bytes + inputs.value.bytes
    append(job.batch)
    append(job.queryHeads)
    append(job.keyValueHeads)
    append(job.queryTokens)
    append(job.keyTokens)
    append(job.headDimension)
    append(Int(job.element.rawValue))
    append(Int(job.mask.rawValue))
    append(Int(job.scale.bitPattern))
    append(Int(job.layout.rawValue))
    append(vrankCount)
    append(Self.queryTileRows)
    append(Self.keyTileKeys)
    append(numerics.utf8.count)
    bytes += numerics.utf8
    return SHA256.hash(bytes)
  }
}
