internal import AttentionKernels
internal import MeshCore

/// Q, dO, dQ and the statistics of the rows of one virtual rank, in a job of gradients.
struct BackwardRank: RankRows {
  let plan: Plan
  let vrank: VRank
  private let kernel: AttentionKernel
  let layout: PackedLayout
  let steps: RankSteps
  let queryTiles: [Int]
  let heads: Range<Int>
  /// Of each item Q and dO, padded, then the log-sum-exp and D.
  private(set) var operands: AlignedBuffer
  /// dQ of each item, padded.
  private let gradients: AlignedBuffer
  private let rowFloats: Int
  private let operandStride: Int

  /// Memory only: rows are emptied in their first step, on the thread that does it.
  init(plan: Plan, vrank: VRank, kernel: AttentionKernel, layout: PackedLayout) {
    self.plan = plan
    self.kernel = kernel
    self.vrank = vrank
    self.layout = layout
    steps = plan.steps(of: vrank)
    queryTiles = plan.queryTiles(of: vrank)
    let first = queryTiles.first.map { plan.firstHead(of: .query($0)) } ?? 0
    heads = first..<first + plan.headCount(.query)
    rowFloats = layout.gradientFloats(rowCount: plan.queryTileRoom)
    operandStride = Self.operandFloats(plan, layout)
    let items = queryTiles.count * heads.count
    operands = AlignedBuffer(count: steps.isEmpty ? 0 : items * operandStride)
    gradients = AlignedBuffer(count: items * rowFloats)
  }

  private static func operandFloats(_ plan: Plan, _ layout: PackedLayout) -> Int {
    2 * layout.gradientFloats(rowCount: plan.queryTileRoom) + 2 * ((plan.queryTileRoom + 15) & ~15)
  }

  /// The rank without its rows: after the last step their memory is the result's.
  func withoutRows() -> BackwardRank {
    var rest = self
    rest.operands = AlignedBuffer(count: 0)
    return rest
  }

  func operands(_ item: Int) -> GradientOperands {
    precondition((item + 1) * operandStride <= operands.count, "rows of item \(item) are gone")
    let start = operands.floats + item * operandStride
    let statistics = start + 2 * rowFloats
    return GradientOperands(
      queries: start, outputGradients: start + rowFloats, logSumExp: statistics,
      differences: statistics + (operandStride - 2 * rowFloats) / 2)
  }

  /// dQ of an item, padded.
  func queryGradients(_ item: Int) -> UnsafeMutablePointer<Float> {
    gradients.floats + item * rowFloats
  }

  func reset(_ item: Int) { queryGradients(item).update(repeating: 0, count: rowFloats) }

  /// Brings the rows of one head of a query tile into the layout that the kernel reads.
  ///
  /// - Parameters:
  ///   - payload: of one part of the tile: Q [heads][rows][d], dO likewise, then of each row its log-sum-exp and
  ///     its D.
  ///   - index: of the head among those of the part, `count`.
  func pack(
    _ payload: UnsafeRawBufferPointer, _ index: Int, of count: Int, head: Int, place: Int
  ) {
    let job = plan.job
    let rows = plan.queryRows(of: queryTiles[place]).count
    let type = job.outputGradient ?? job.element
    let queryBytes = rows * job.headDimension * job.element.byteCount
    let gradientBytes = rows * job.headDimension * type.byteCount
    let statistics = count * (queryBytes + gradientBytes) + index * rows * 8
    guard let base = payload.baseAddress, statistics + rows * 8 <= payload.count else {
      preconditionFailure("head \(head) isn't in \(payload.count) bytes")
    }
    let target = operands(item(head: head, place: place))
    kernel.packRows(
      base + index * queryBytes, type: job.element, rowCount: rows, layout: layout,
      into: target.queries)
    kernel.packRows(
      base + count * queryBytes + index * gradientBytes, type: type, rowCount: rows,
      layout: layout, into: target.outputGradients)
    for row in 0..<rows {
      let pair = statistics + row * 8
      target.logSumExp[row] = payload.loadUnaligned(fromByteOffset: pair, as: Float.self)
      target.differences[row] = payload.loadUnaligned(fromByteOffset: pair + 4, as: Float.self)
    }
  }

  // MARK: State and result

  func readState(_ message: Int, into target: UnsafeMutableRawBufferPointer) {
    target.withMemoryRebound(to: Float.self) { floats in
      guard let base = floats.baseAddress else { return }
      write(message, scale: 1, into: base)
    }
  }

  func writeState(_ message: Int, from source: UnsafeRawBufferPointer) {
    forEachHead(of: message) { head, index, place in
      let rows = plan.queryRows(of: queryTiles[place]).count
      guard let base = source.baseAddress else { return }
      kernel.packRows(
        base + index * rows * plan.job.headDimension * 4, type: .float32, rowCount: rows,
        layout: layout, into: queryGradients(item(head: head, place: place)))
    }
  }

  func finish(
    _ message: Int, _ kernel: AttentionKernel, into target: UnsafeMutablePointer<Float>
  ) {
    write(message, scale: Double(plan.job.scale), into: target)
  }

  private func write(_ message: Int, scale: Double, into target: UnsafeMutablePointer<Float>) {
    forEachHead(of: message) { head, index, place in
      let rows = plan.queryRows(of: queryTiles[place]).count
      let item = item(head: head, place: place)
      // Rows that see no key were never looked at.
      if steps.isEmpty { reset(item) }
      kernel.finishGradients(
        queryGradients(item), scale: scale, rowCount: rows, layout: layout,
        into: target + index * rows * plan.job.headDimension)
    }
  }
}
