internal import AttentionKernels
internal import MeshCore

/// Q, O~, m and l of the rows of one virtual rank. One *item* is a query tile of one query head; its
/// rows lie together, so that a thread folds an item without touching another's cache lines.
struct RankBuffers: Sendable {
  let plan: Plan
  let vrank: VRank
  let layout: PackedLayout
  /// What the rank does.
  let steps: RankSteps
  /// Query tiles of the rank, ascending, and the place of each in item order.
  let queryTiles: [Int]
  private(set) var queries: AlignedBuffer
  let accumulator: AlignedBuffer
  let statistics: AlignedBuffer

  /// The rank's flattened query heads.
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

  /// The place of a query tile in `queryTiles`; nil when it isn't this rank's.
  func place(of tile: Int) -> Int? {
    let place = Runs.partition(queryTiles.count) { queryTiles[$0] >= tile }
    return place < queryTiles.count && queryTiles[place] == tile ? place : nil
  }

  /// Items run over query tiles first, then heads: successive items of a thread use the same head of
  /// a K/V tile while it is in cache.
  func item(head: Int, place: Int) -> Int { (head - heads.lowerBound) * queryTiles.count + place }

  /// Places of query tiles among which are all whose rows see keys of the tiles of these steps.
  func places(near steps: Range<Int>) -> Runs {
    let runs = steps.flatMap {
      plan.mask.queries(near: plan.keys(of: self.steps.tile($0))).ranges
    }
    return Runs(
      runs.map { rows in
        Runs.places(queryTiles.count, near: rows) { plan.queryRows(of: queryTiles[$0]) }
      })
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
