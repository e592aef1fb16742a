internal import Checksums
internal import FoldEngine
internal import MeshCore

/// Digests of dQ, dK and dV, whose tiles are finished in any order: SHA-256 of the digests of their tiles,
/// head after head.
struct GradientDigests {
  private let job: AttentionJob
  private var tiles: [GradientRun.Gradient: [Digest?]] = [:]

  init(_ job: AttentionJob) { self.job = job }

  private func tilesPerHead(_ gradient: GradientRun.Gradient) -> (count: Int, size: Int) {
    let (tokens, size) =
      gradient == .query
      ? (job.queryTokens, Plan.queryTileRows) : (job.keyTokens, Plan.keyTileKeys)
    return ((tokens + size - 1) / size, size)
  }

  /// Takes the rows of one tile of one flattened head.
  mutating func add(
    _ gradient: GradientRun.Gradient, head: Int, tokens: Range<Int>, _ rows: UnsafeRawBufferPointer
  ) {
    let (count, size) = tilesPerHead(gradient)
    let heads = gradient == .query ? job.flatQueryHeads : job.flatKeyValueHeads
    let hasher = SHA256()
    hasher.update(rows)
    tiles[gradient, default: Array(repeating: nil, count: heads * count)][
      head * count + tokens.lowerBound / size] = hasher.finish()
  }

  /// - Precondition: all rows came.
  func digest(of gradient: GradientRun.Gradient) -> Digest {
    SHA256.hash(
      (tiles[gradient] ?? []).flatMap { tile in
        guard let tile else { preconditionFailure("a tile of the \(gradient) gradient is missing") }
        return Array(tile.bytes)
      })
  }
}
