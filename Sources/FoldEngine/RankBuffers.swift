internal import AttentionKernels
internal import MeshCore

/// Q, O~, m and l of the rows of one virtual rank.
struct RankBuffers: RankRows {
  let plan: Plan
  let vrank: VRank
  let layout: PackedLayout
  let steps: RankSteps
  let queryTiles: [Int]
  private(set) var queries: AlignedBuffer
  let accumulator: AlignedBuffer
  let statistics: AlignedBuffer

  let heads: Range<Int>

  private let queryStride: Int
  private let accumulatorStride: Int

  /// Memory only: rows get their state in their first fold, on the thread that folds them, so that
  /// whoever makes room for gigabytes isn't kept by touching them.
  init(plan: Plan, vrank: VRank, layout: PackedLayout) {
    self.plan = plan
    self.vrank = vrank
    self.layout = layout
    steps = plan.steps(of: vrank)
    queryTiles = plan.queryTiles(of: vrank)
    let rows = plan.queryTileRoom
    queryStride = (layout.queryFloats(rowCount: rows) + 15) & ~15
    accumulatorStride = layout.accumulatorFloats(rowCount: rows)
    let first = queryTiles.first.map { plan.firstHead(of: .query($0)) } ?? 0
    heads = first..<first + plan.headCount(.query)
    let items = queryTiles.count * heads.count
    // A rank that sees no key has a state, but nothing to fold.
    queries = AlignedBuffer(count: steps.isEmpty ? 0 : items * queryStride)
    accumulator = AlignedBuffer(count: items * accumulatorStride)
    statistics = AlignedBuffer(count: items * 2 * rows)
  }

  /// The rank without its queries: after the last fold their memory is the result's.
  func withoutQueries() -> RankBuffers {
    var rest = self
    rest.queries = AlignedBuffer(count: 0)
    return rest
  }

  /// - Precondition: the result hasn't been taken: their memory is the result's then.
  func queries(_ item: Int) -> UnsafeMutablePointer<Float> {
    precondition((item + 1) * queryStride <= queries.count, "queries of item \(item) are gone")
    return queries.floats + item * queryStride
  }

  /// Brings the rows of one head of a query tile into the layout that the kernel reads.
  ///
  /// - Parameters:
  ///   - payload: rows [heads][tokens][d] of one part of the tile.
  ///   - index: of the head in the part.
  func packQueries(
    _ payload: UnsafeRawBufferPointer, _ index: Int, head: Int, place: Int, kernel: AttentionKernel
  ) {
    let rows = plan.queryRows(of: queryTiles[place]).count
    let headBytes = rows * plan.job.headDimension * plan.job.element.byteCount
    guard let base = payload.baseAddress, (index + 1) * headBytes <= payload.count else {
      preconditionFailure("head \(head) isn't in \(payload.count) bytes")
    }
    kernel.packQueries(
      rows: base + index * headBytes, type: plan.job.element, rowCount: rows,
      scale: Double(plan.job.scale), layout: layout, into: queries(item(head: head, place: place)))
  }

  func state(_ item: Int) -> StatePointers {
    let rows = plan.queryTileRoom
    let statistics = statistics.floats + item * 2 * rows
    return StatePointers(
      accumulator: accumulator.floats + item * accumulatorStride, maximum: statistics,
      sum: statistics + rows)
  }
}
