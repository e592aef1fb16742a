internal import AttentionKernels
internal import AttentionMasks
internal import MeshCore

/// A query tile of some query heads on its way along the K/V tiles: Q, dO, and the dQ that grows.
final class GradientRows: Sendable {
  let tile: Int
  /// Token positions.
  let rows: Range<Int>
  /// Flattened query heads.
  let heads: Range<Int>
  /// The K/V tiles in which some row sees some key, in any head.
  let needed: Runs
  private let statistics: RowStatistics
  private let layout: PackedLayout
  private let queryRows: PartPayload
  private let outputGradientRows: PartPayload
  private let outputGradientType: ElementType
  /// Q, dO and dQ of one head after the other, padded.
  private let padded: AlignedBuffer
  private let finished: AlignedBuffer

  /// - Parameters:
  ///   - queries: [heads][rows][d] of the job's type.
  ///   - outputGradients: likewise, of `outputGradientType`.
  init(
    tile: Int, heads: Range<Int>, mask: AttentionMask, statistics: RowStatistics,
    queries: PartPayload, outputGradients: PartPayload, outputGradientType: ElementType
  ) {
    let job = statistics.job
    self.tile = tile
    self.heads = heads
    self.statistics = statistics
    rows = Self.rows(of: tile, job)
    needed = mask.neededTiles(rows: rows, of: Plan.keyTileKeys)
    layout = PackedLayout(headDimension: job.headDimension)
    queryRows = queries
    outputGradientRows = outputGradients
    self.outputGradientType = outputGradientType
    padded = AlignedBuffer(count: heads.count * Self.floatsPerHead(layout))
    finished = AlignedBuffer(count: heads.count * rows.count * job.headDimension)
  }

  static func tileCount(_ job: AttentionJob) -> Int {
    (job.queryTokens + Plan.queryTileRows - 1) / Plan.queryTileRows
  }

  static func rows(of tile: Int, _ job: AttentionJob) -> Range<Int> {
    tile * Plan.queryTileRows..<min((tile + 1) * Plan.queryTileRows, job.queryTokens)
  }

  private static func floatsPerHead(_ layout: PackedLayout) -> Int {
    3 * layout.gradientFloats(rowCount: Plan.queryTileRows)
  }

  /// Bytes of a tile of one head: as it is read, as it is computed with, and as it is handed out.
  static func bytesPerHead(_ job: AttentionJob) -> Int {
    let layout = PackedLayout(headDimension: job.headDimension)
    return 4 * (floatsPerHead(layout) + 3 * Plan.queryTileRows * job.headDimension)
  }

  private func padded(_ place: Int, head: Int) -> UnsafeMutablePointer<Float> {
    padded.floats + (head - heads.lowerBound) * Self.floatsPerHead(layout)
      + place * layout.gradientFloats(rowCount: Plan.queryTileRows)
  }

  /// Brings one head's rows into the layout that the kernel reads.
  func prepare(head: Int, _ kernel: AttentionKernel) {
    let job = statistics.job
    func pack(_ source: PartPayload, _ type: ElementType, _ place: Int) {
      let bytes = rows.count * job.headDimension * type.byteCount
      guard let base = source.bytes.baseAddress else { return }
      kernel.packRows(
        base + (head - heads.lowerBound) * bytes, type: type, rowCount: rows.count, layout: layout,
        into: padded(place, head: head))
    }
    pack(queryRows, job.element, 0)
    pack(outputGradientRows, outputGradientType, 1)
    padded(2, head: head).update(repeating: 0, count: layout.gradientFloats(rowCount: rows.count))
  }

  /// Adds what a K/V tile of one head's group gives to dQ, dK and dV.
  func fold(
    head: Int, _ keys: GradientKeys, tile: Int, mask: AttentionMask, _ kernel: AttentionKernel,
    scratch: FoldScratch
  ) {
    let job = statistics.job
    let keyHead = head / job.queriesPerKeyHead
    let start = head * job.queryTokens + rows.lowerBound
    kernel.differentiate(
      GradientOperands(
        queries: padded(0, head: head), outputGradients: padded(1, head: head),
        logSumExp: statistics.logSumExp.floats + start,
        differences: statistics.differences.floats + start),
      rows: rows, head: head,
      GradientTile(
        keys: keys.keys(of: tile), packed: keys.packed(tile, head: keyHead),
        keyGradients: keys.keyGradients(tile, head: keyHead),
        valueGradients: keys.valueGradients(tile, head: keyHead)),
      into: padded(2, head: head), job: job, mask: mask, layout: layout, scratch: scratch.head(0))
  }

  /// dQ of one head, as it is handed out.
  func finish(head: Int, _ kernel: AttentionKernel) {
    let job = statistics.job
    kernel.finishGradients(
      padded(2, head: head), scale: Double(job.scale), rowCount: rows.count, layout: layout,
      into: finished.floats + (head - heads.lowerBound) * rows.count * job.headDimension)
  }

  /// dQ, [rows][d] float32, of one flattened head, once it is finished.
  func queryGradients(head: Int) -> UnsafeRawBufferPointer {
    let bytes = rows.count * statistics.job.headDimension * 4
    let start = (head - heads.lowerBound) * bytes
    return UnsafeRawBufferPointer(rebasing: finished.bytes[start..<start + bytes])
  }
}
