internal import AttentionMasks
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
    append(job.mask.isCausal ? 2 : 1)
    append(Int(job.scale.bitPattern))
    append(Int(job.layout.rawValue))
    append(vrankCount)
    append(Self.queryTileRows)
    append(Self.keyTileKeys)
    append(numerics.utf8.count)
    bytes += numerics.utf8
    // Jobs that say no more than these had no more to say before there was more: their hash stays.
    if job.mask != .full, job.mask != .causal { Self.words(of: job.mask).forEach(append) }
    if !job.logits.isPlain { Self.words(of: job.logits).forEach(append) }
    if job.headCuts > 1 { [3, job.headCuts].forEach(append) }
    if let blockMap = inputs.blockMap {
      [4, job.mask.blocks?.isPerHead == true ? 1 : 0].forEach(append)
      bytes += blockMap.bytes
    }
    if let type = job.outputGradient, let outputGradient = inputs.outputGradient,
      let rowStatistics = inputs.rowStatistics
    {
      [6, Int(type.rawValue)].forEach(append)
      bytes += outputGradient.bytes + rowStatistics.bytes
    }
    if job.strategy != .auto {
      [5, Int(job.strategy.rawValue), grid.groups, grid.shards].forEach(append)
    }
    return SHA256.hash(bytes)
  }

  /// Numbers that say all of a mask: -1 for a side without a bound, and every list after its length.
  private static func words(of mask: MaskRule) -> [Int] {
    func some(_ value: Int?) -> Int { value ?? -1 }
    let documents = mask.documents
    return [1, some(mask.left), some(mask.right), mask.sinkTokens]
      + [documents?.queries.count ?? 0] + (documents?.queries ?? []) + (documents?.keys ?? [])
      + [mask.blocks?.queries ?? 0, mask.blocks?.keys ?? 0]
  }

  private static func words(of logits: LogitRule) -> [Int] {
    func bits(_ values: [Float]) -> [Int] { [values.count] + values.map { Int($0.bitPattern) } }
    return [2, Int((logits.softcap ?? 0).bitPattern)] + bits(logits.alibiSlopes)
      + bits(logits.sinkLogits)
  }
}

extension Digest {
  /// First eight bytes, big-endian: enough to tell plans apart, not to trust one.
  package var tag: UInt64 { bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) } }
}
