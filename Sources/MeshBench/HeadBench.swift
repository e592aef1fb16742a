internal import AttentionKernels
internal import ElementTypes
internal import FoldEngine
internal import MeshCore
internal import TensorFiles

/// One head in a fold engine: as many queries as keys.
final class HeadBench {
  private let plan: Plan
  private let kernel: AttentionKernel
  private let engine: FoldEngine
  private let operands: Operands
  private let thread = CallingThread()
  private let rank = VRank(0)
  /// Elements as they are stored, [tokens][d] each.
  private let queries: [UInt8]
  private let keys: [UInt8]
  private let values: [UInt8]
  /// K and V of a tile lie together, as they come off the wire.
  private lazy var keyPayloads: [[UInt8]] = (0..<plan.keyTileCount).map { tile in
    Array(rows(keys, plan.keys(of: tile))) + rows(values, plan.keys(of: tile))
  }

  init(
    kernel: AttentionKernel, headDimension: Int, tokens: Int, mask: MaskRule,
    element: ElementType = .float16, operands: Operands = .float32
  ) {
    let job = AttentionJob(
      batch: 1, queryHeads: 1, keyValueHeads: 1, queryTokens: tokens, keyTokens: tokens,
      headDimension: headDimension, element: element, mask: mask,
      scale: 1 / Float(headDimension).squareRoot(), layout: .contiguous)
    self.kernel = kernel
    self.operands = operands
    plan = Plan(job: job, vrankCount: 1)
    engine = FoldEngine(plan: plan, kernel: kernel, operands: operands)
    var random = SplitMix64(seed: UInt64(headDimension))
    queries = Self.elements(element, tokens * headDimension, times: 3, &random)
    keys = Self.elements(element, tokens * headDimension, times: 1, &random)
    values = Self.elements(element, tokens * headDimension, times: 1, &random)
    engine.host(rank)
  }

  private static func elements(
    _ type: ElementType, _ count: Int, times spread: Float, _ random: inout SplitMix64
  ) -> [UInt8] {
    let floats = (0..<count).map { _ in random.normal() * spread }
    var bytes = [UInt8](repeating: 0, count: count * type.byteCount)
    bytes.withUnsafeMutableBytes { target in
      floats.withUnsafeBufferPointer { type.encode($0, into: target) }
    }
    return bytes
  }

  var flops: Double { plan.job.flops() }
  var headDimension: Int { plan.job.headDimension }
  var keyTileCount: Int { plan.keyTileCount }
  var queryTileCount: Int { plan.queryTileCount }

  func pack() {
    packQueries()
    packKeys()
  }

  func packQueries() {
    for tile in 0..<plan.queryTileCount { pack(.query(tile)) }
  }

  func packKeys() {
    for tile in 0..<plan.keyTileCount { pack(.keyValue(tile)) }
  }

  private func pack(_ tile: TileID) {
    payload(of: tile) { engine.pack(tile, part: 0, payload: $0) }
  }

  /// A tile of one head is one part.
  private func payload(of tile: TileID, _ take: (UnsafeRawBufferPointer) -> Void) {
    let bytes =
      tile.tensor == .query
      ? rows(queries, plan.queryRows(of: tile.index)) : keyPayloads[tile.index][...]
    bytes.withUnsafeBytes(take)
  }

  private func rows(_ elements: [UInt8], _ range: Range<Int>) -> ArraySlice<UInt8> {
    let bytes = plan.job.headDimension * plan.job.element.byteCount
    return elements[range.lowerBound * bytes..<range.upperBound * bytes]
  }

  /// Bytes that folds take from or put into caches beyond the first, as a model: a band of sixteen rows
  /// reads its queries and a whole K/V tile once, and reads and writes its accumulator.
  var trafficBytes: Double {
    let layout = PackedLayout(headDimension: plan.job.headDimension, operands: operands)
    return (0..<plan.queryTileCount).reduce(0.0) { total, query in
      let rows = plan.queryRows(of: query).count
      let state = layout.queryFloats(rowCount: rows) + 2 * layout.accumulatorFloats(rowCount: rows)
      return plan.neededKeyTiles(ofQueryTile: query).reduce(total) {
        let tile = layout.tileFloats(keyCount: plan.keys(of: $1).count)
        return $0 + 4 * Double((rows + 15) / 16 * tile + state)
      }
    }
  }

  /// Rows as if nothing had been folded: after a result was taken.
  func reset() {
    engine.host(rank)
    packQueries()
  }

  /// Folds all tiles, a few at a time as a worker does, on this thread.
  func fold() {
    let steps = plan.steps(of: rank).count
    for start in stride(from: 0, to: steps, by: Limits.tilesPerFold) {
      thread.perform(
        engine.fold(rank, steps: start..<min(start + Limits.tilesPerFold, steps)))
    }
  }

  /// All there is to do for the head: elements are packed, folded and normalised.
  func attend() {
    ProgramRun(plan: plan, engine: engine)
      .run(on: thread) { tile, _, take in
        payload(of: tile, take)
      } stepDone: { _ in
      }
    thread.perform(engine.finish(rank))
  }

  /// Compares rows from all over the sequence with the reference in Double; gives their number.
  func verify(_ findings: inout Findings) -> Int {
    let d = plan.job.headDimension
    let result = engine.finish(rank)
    thread.perform(result)
    let reference = ReferenceAttention(
      keys: doubles(keys[...]), values: doubles(values[...]), headDimension: d,
      scale: Double(plan.job.scale))
    let count = min(64, plan.job.queryTokens)
    let chosen = (0..<count).map { ($0 + 1) * plan.job.queryTokens / count - 1 }
    let inputs = chosen.map { row in
      doubles(rows(queries, row..<row + 1))
    }
    let sights = chosen.map { plan.mask.sight(query: $0, keyCount: plan.job.keyTokens) }
    let tolerance = Tolerance(
      reference: zip(inputs, sights).map { reference.row(query: $0, sight: $1) },
      naive: operands == .float32
        ? reference.naiveFloat32Rows(queries: inputs, sights: sights)
        : reference.naiveBFloat16Rows(queries: inputs, sights: sights),
      largestValue: reference.largestValue)
    for (index, row) in chosen.enumerated() {
      let (tile, place) = row.quotientAndRemainder(dividingBy: Plan.queryTileRows)
      let message = result.payload(tile * plan.resultPartCount)
      let rowCount = plan.queryRows(of: tile).count
      let floats = message.bindMemory(to: Float.self)
      let output = Array(floats[place * d..<(place + 1) * d])
      let logSumExp = floats[rowCount * d + place]
      let violation = tolerance.violation(row: index, output: output, logSumExp: logSumExp)
      findings.expect(
        violation == nil,
        "\(kernel.level.name), d \(d), \(plan.job.mask.name), token \(row): \(violation ?? "")")
    }
    return count
  }

  private func doubles(_ elements: ArraySlice<UInt8>) -> [Double] {
    let type = plan.job.element
    var floats = [Float](repeating: 0, count: elements.count / type.byteCount)
    floats.withUnsafeMutableBufferPointer { target in
      elements.withUnsafeBytes { type.decode($0, into: target) }
    }
    return floats.map(Double.init)
  }
}
