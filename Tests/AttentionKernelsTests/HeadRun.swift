import AttentionKernels

/// Runs one head through a kernel, tile by tile, as a worker does.
final class HeadRun {
  let kernel: AttentionKernel
  let problem: HeadProblem
  let firstRow: Int
  let rowCount: Int
  let packedQueries: AlignedFloats
  let accumulator: AlignedFloats
  let maximum: AlignedFloats
  let sum: AlignedFloats
  private let scratch = AlignedFloats(count: PackedLayout.scratchFloats)

  /// The query tile of rows `firstRow ..< firstRow + rowCount`, in its initial state.
  init(_ kernel: AttentionKernel, _ problem: HeadProblem, firstRow: Int, rowCount: Int) {
    let layout = problem.layout
    self.kernel = kernel
    self.problem = problem
    self.firstRow = firstRow
    self.rowCount = rowCount
    packedQueries = AlignedFloats(count: layout.queryFloats(rowCount: rowCount))
    accumulator = AlignedFloats(count: layout.accumulatorFloats(rowCount: rowCount))
    maximum = AlignedFloats(count: rowCount)
    sum = AlignedFloats(count: rowCount)
    let d = problem.headDimension
    let rows = Array(problem.queries[firstRow * d..<(firstRow + rowCount) * d])
    problem.type.bytes(rows).withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress else { return }
      kernel.packQueries(
        rows: base, type: problem.type, rowCount: rowCount, scale: problem.scale, layout: layout,
        into: packedQueries.base)
    }
    kernel.resetState(state, rowCount: rowCount, layout: layout)
  }

  var state: StatePointers {
    StatePointers(accumulator: accumulator.base, maximum: maximum.base, sum: sum.base)
  }

  /// O~ with its padding, m and l.
  var stateBits: [UInt32] { accumulator.bits + maximum.bits + sum.bits }

  func copyState(from other: HeadRun) {
    accumulator.copy(from: other.accumulator)
    maximum.copy(from: other.maximum)
    sum.copy(from: other.sum)
  }

  /// Folds tile `index`: keys index * tileKeys ..< (index + 1) * tileKeys, the last one short. Rows see
  /// what the problem's mask says, or `visibility`.
  func fold(tile index: Int, tileKeys: Int = 256, visibility: KeyVisibility? = nil) {
    let start = index * tileKeys
    let keyCount = min(tileKeys, problem.keyCount - start)
    let rows = firstRow..<firstRow + rowCount
    let slices =
      visibility.map { [MaskSlice(rows: 0..<rowCount, visibility: $0, distance: 0)] }
      ?? problem.mask.slices(rows: rows, keys: start..<start + keyCount)
    if slices.isEmpty { return }
    let tile = packedTile(kernel, problem, start: start, keyCount: keyCount)
    for slice in slices {
      kernel.fold(
        slice, queries: packedQueries.base, scale: problem.scale, tile: tile.base,
        layout: problem.layout, keyCount: keyCount, shape: problem.shape, state: state,
        scratch: scratch.base)
    }
  }

  func foldAll(tileKeys: Int = 256) {
    for index in 0..<(problem.keyCount + tileKeys - 1) / tileKeys {
      fold(tile: index, tileKeys: tileKeys)
    }
  }

  func finish() -> HeadResult {
    let output = AlignedFloats(count: rowCount * problem.headDimension)
    let logSumExp = AlignedFloats(count: rowCount)
    kernel.finish(
      state, rowCount: rowCount, layout: problem.layout, output: output.base,
      logSumExp: logSumExp.base)
    return HeadResult(output: output.array, logSumExp: logSumExp.array)
  }
}

/// O [rows][headDimension] and LSE [rows].
struct HeadResult {
  var output: [Float] = []
  var logSumExp: [Float] = []

  var bits: [UInt32] { (output + logSumExp).map(\.bitPattern) }

  /// O and LSE of a row, bit by bit.
  func rowBits(_ row: Int, of d: Int) -> [UInt32] {
    (self.row(row, of: d) + [logSumExp[row]]).map(\.bitPattern)
  }

  func row(_ row: Int, of d: Int) -> [Float] { Array(output[row * d..<(row + 1) * d]) }
}

/// K and V of keys `start ..< start + keyCount`, packed.
func packedTile(
  _ kernel: AttentionKernel, _ problem: HeadProblem, start: Int, keyCount: Int
) -> AlignedFloats {
  let d = problem.headDimension
  let range = start * d..<(start + keyCount) * d
  let tile = AlignedFloats(count: problem.layout.tileFloats(keyCount: keyCount))
  problem.type.bytes(Array(problem.keys[range])).withUnsafeBytes { keys in
    problem.type.bytes(Array(problem.values[range])).withUnsafeBytes { values in
      guard let keys = keys.baseAddress, let values = values.baseAddress else { return }
      kernel.packTile(
        keys: keys, values: values, type: problem.type, keyCount: keyCount,
        layout: problem.layout, into: tile.base)
    }
  }
  return tile
}

/// The whole head, in query tiles of `height` rows.
func attend(
  _ level: KernelLevel, _ problem: HeadProblem, height: Int = 64, tileKeys: Int = 256
) -> HeadResult {
  let kernel = AttentionKernel(level: level)
  var result = HeadResult()
  for first in stride(from: 0, to: problem.rowCount, by: height) {
    let run = HeadRun(
      kernel, problem, firstRow: first, rowCount: min(height, problem.rowCount - first))
    run.foldAll(tileKeys: tileKeys)
    let part = run.finish()
    result.output += part.output
    result.logSumExp += part.logSumExp
  }
  return result
}

/// Levels that this CPU can run.
let supportedLevels = KernelLevel.allCases.filter(\.isSupported)

/// The first breach of the tolerance rule against the Double reference, or nil.
func violation(_ problem: HeadProblem, _ result: HeadResult, _ tolerance: Tolerance) -> String? {
  for row in 0..<problem.rowCount {
    if let reason = tolerance.violation(
      row: row, output: result.row(row, of: problem.headDimension),
      logSumExp: result.logSumExp[row])
    {
      return reason
    }
  }
  return nil
}

/// The tolerance for all rows of a head or some of them, from the reference and the naive float32
/// computation.
func tolerance(_ problem: HeadProblem, rows: [Int]? = nil) -> Tolerance {
  let reference = problem.reference
  let rows = rows ?? Array(0..<problem.rowCount)
  let queries = rows.map(problem.query(row:))
  let sights = rows.map(problem.sight(row:))
  return Tolerance(
    reference: zip(queries, sights).map { reference.row(query: $0, sight: $1) },
    naive: problem.operands == .float32
      ? reference.naiveFloat32Rows(queries: queries, sights: sights)
      : reference.naiveBFloat16Rows(queries: queries, sights: sights),
    largestValue: reference.largestValue)
}
