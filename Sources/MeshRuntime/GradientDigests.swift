internal import Checksums
internal import FoldEngine
internal import MeshCore

/// Digests of dQ, dK and dV, whose tiles are finished in any order: SHA-256 of the digests of their tiles,
/// head after head.
struct GradientDigests {
  private let job: AttentionJob
  /// 32 bytes a tile: those of dQ, of dK, of dV.
  private var bytes: [UInt8]
  private var missing: Int

  private static let digestBytes = 32

  init(_ job: AttentionJob) {
    self.job = job
    bytes = [UInt8](repeating: 0, count: Self.byteCount(job))
    missing = bytes.count / Self.digestBytes
  }

  /// Bytes of all of them.
  static func byteCount(_ job: AttentionJob) -> Int {
    [.query, .key, .value].reduce(0) { $0 + tiles(of: $1, job).count } * digestBytes
  }

  private static func tiles(
    of gradient: GradientRun.Gradient, _ job: AttentionJob
  ) -> (count: Int, perHead: Int, size: Int) {
    let (heads, tokens, size) =
      gradient == .query
      ? (job.flatQueryHeads, job.queryTokens, Plan.queryTileRows)
      : (job.flatKeyValueHeads, job.keyTokens, Plan.keyTileKeys)
    let perHead = (tokens + size - 1) / size
    return (heads * perHead, perHead, size)
  }

  /// Where the digests of a gradient's tiles are.
  private func range(of gradient: GradientRun.Gradient) -> Range<Int> {
    let queries = Self.tiles(of: .query, job).count * Self.digestBytes
    let keys = Self.tiles(of: .key, job).count * Self.digestBytes
    return switch gradient {
    case .query: 0..<queries
    case .key: queries..<queries + keys
    case .value: queries + keys..<queries + 2 * keys
    }
  }

  /// Takes the rows of one tile of one flattened head; each tile comes once.
  mutating func add(
    _ gradient: GradientRun.Gradient, head: Int, tokens: Range<Int>, _ rows: UnsafeRawBufferPointer
  ) {
    let (_, perHead, size) = Self.tiles(of: gradient, job)
    let tile = head * perHead + tokens.lowerBound / size
    let start = range(of: gradient).lowerBound + tile * Self.digestBytes
    bytes.replaceSubrange(start..<start + Self.digestBytes, with: SHA256.hash(rows).bytes)
    missing -= 1
  }

  /// - Precondition: all rows came.
  func digest(of gradient: GradientRun.Gradient) -> Digest {
    precondition(missing == 0, "\(missing) tiles of gradients are missing")
    return bytes.withUnsafeBytes {
      SHA256.hash(UnsafeRawBufferPointer(rebasing: $0[range(of: gradient)]))
    }
  }
}
