internal import AttentionKernels
internal import FoldEngine
internal import MeshCore

/// One head's backward pass, as many queries as keys: elements from N(0, 1) in float32.
final class BackwardHead {
  private let kernel: AttentionKernel
  private let layout: PackedLayout
  private let tokens: Int
  private let rule: MaskRule
  private let mask: AttentionMask
  private let scale: Double
  private let queries: [Float]
  private let keys: [Float]
  private let values: [Float]
  private let outputGradients: [Float]
  private var queryTiles: [QueryTile] = []
  private var keyTiles: [KeyTile] = []
  /// O [tokens][d] and LSE [tokens], of the forward pass.
  private var outputs: [Float] = []
  private var logSumExp: [Float] = []
  private let scratch = AlignedBuffer(count: BackwardArguments.scratchFloats)

  private struct QueryTile {
    let rows: Range<Int>
    let queries: AlignedBuffer
    let outputs: AlignedBuffer
    let outputGradients: AlignedBuffer
    let logSumExp: AlignedBuffer
    let differences: AlignedBuffer
    let gradients: AlignedBuffer

    init(rows: Range<Int>, _ layout: PackedLayout) {
      let floats = layout.gradientFloats(rowCount: rows.count)
      self.rows = rows
      (queries, outputs) = (AlignedBuffer(count: floats), AlignedBuffer(count: floats))
      (outputGradients, gradients) = (AlignedBuffer(count: floats), AlignedBuffer(count: floats))
      logSumExp = AlignedBuffer(count: rows.count)
      differences = AlignedBuffer(count: rows.count)
    }
  }

  private struct KeyTile {
    let keys: Range<Int>
    let packed: AlignedBuffer
    let keyGradients: AlignedBuffer
    let valueGradients: AlignedBuffer

    init(keys: Range<Int>, _ layout: PackedLayout) {
      let floats = layout.gradientFloats(rowCount: keys.count)
      self.keys = keys
      packed = AlignedBuffer(count: layout.backwardTileFloats(keyCount: keys.count))
      (keyGradients, valueGradients) = (AlignedBuffer(count: floats), AlignedBuffer(count: floats))
    }
  }

  init(kernel: AttentionKernel, headDimension d: Int, tokens: Int, mask rule: MaskRule) {
    self.kernel = kernel
    self.tokens = tokens
    self.rule = rule
    mask = rule.mask(queryTokens: tokens, keyTokens: tokens)
    layout = PackedLayout(headDimension: d)
    scale = 1 / Double(d).squareRoot()
    var random = SplitMix64(seed: UInt64(d))
    func floats() -> [Float] { (0..<tokens * d).map { _ in random.normal() } }
    (queries, keys, values, outputGradients) = (floats(), floats(), floats(), floats())
    keyTiles = stride(from: 0, to: tokens, by: Plan.keyTileKeys).map {
      KeyTile(keys: $0..<min($0 + Plan.keyTileKeys, tokens), layout)
    }
    queryTiles = stride(from: 0, to: tokens, by: Plan.queryTileRows).map {
      QueryTile(rows: $0..<min($0 + Plan.queryTileRows, tokens), layout)
    }
    forward()
    pack()
  }

  /// All there is to do for the head, from rows to rows.
  func differentiate() {
    pack()
    run()
    _ = gradients()
  }

  /// Brings inputs into the kernel's layout, forms D, and empties the gradients.
  func pack() {
    for tile in keyTiles {
      withRows(keys, tile.keys) { keys in
        withRows(values, tile.keys) { values in
          kernel.packBackwardTile(
            keys: keys, values: values, type: .float32, keyCount: tile.keys.count, layout: layout,
            into: tile.packed.floats)
        }
      }
      tile.keyGradients.clear()
      tile.valueGradients.clear()
    }
    for tile in queryTiles {
      for (elements, target) in [
        (queries, tile.queries), (outputs, tile.outputs), (outputGradients, tile.outputGradients),
      ] {
        withRows(elements, tile.rows) {
          kernel.packRows(
            $0, type: .float32, rowCount: tile.rows.count, layout: layout, into: target.floats)
        }
      }
      kernel.prepareBackward(
        outputs: tile.outputs.floats, outputGradients: tile.outputGradients.floats,
        logSumExp: Array(logSumExp[tile.rows]), rowCount: tile.rows.count, layout: layout,
        differences: tile.differences.floats, binaryLogSumExp: tile.logSumExp.floats)
      tile.gradients.clear()
    }
  }

  /// Ten d for each pair that the mask lets through: five products.
  var flops: Double {
    let pairs = mask.pairCount(rows: 0..<tokens, keys: 0..<tokens)
    return 10 * Double(layout.headDimension) * Double(pairs)
  }

  /// All steps, dK and dV over ascending query tiles, dQ over ascending K/V tiles.
  func run() {
    for query in queryTiles {
      for tile in keyTiles {
        let step = BackwardArguments(
          queries: query.queries.floats, outputGradients: query.outputGradients.floats,
          logSumExp: query.logSumExp.floats, differences: query.differences.floats,
          factor: BackwardArguments.factor(scale: scale), tile: tile.packed.floats, layout: layout,
          rowCount: query.rows.count, keyCount: tile.keys.count,
          visibility: KeyVisibility(ceiling: tile.keys.count),
          queryGradients: query.gradients.floats, keyGradients: tile.keyGradients.floats,
          valueGradients: tile.valueGradients.floats, scratch: scratch.floats)
        mask.forEachSlice(rows: query.rows, keys: tile.keys) { kernel.backward(step.taking($0)) }
      }
    }
  }

  /// Compares all gradients of a fresh head with the reference in Double; for few tokens.
  func verify(_ findings: inout Findings) {
    run()
    let d = layout.headDimension
    func rows(_ elements: [Float]) -> [[Double]] {
      (0..<tokens).map { elements[$0 * d..<($0 + 1) * d].map { Double($0) } }
    }
    let reference = ReferenceAttention(
      keys: keys.map { Double($0) }, values: values.map { Double($0) }, headDimension: d,
      scale: scale)
    let sights = (0..<tokens).map { mask.sight(query: $0, keyCount: tokens) }
    let tolerance = GradientTolerance(
      exact: ReferenceGradients(
        of: reference, queries: rows(queries), outputGradients: rows(outputGradients),
        sights: sights),
      naive: ReferenceGradients(
        naive: reference, queries: rows(queries), outputGradients: rows(outputGradients),
        sights: sights))
    let got = gradients()
    let violation = tolerance.violation(queries: got.queries, keys: got.keys, values: got.values)
    findings.expect(
      violation == nil,
      "\(kernel.level.name), d \(d), \(rule.name), backward: \(violation ?? "")")
  }

  private func gradients() -> (queries: [Float], keys: [Float], values: [Float]) {
    (
      queryTiles.flatMap { finished($0.gradients, $0.rows.count, scale) },
      keyTiles.flatMap { finished($0.keyGradients, $0.keys.count, scale) },
      keyTiles.flatMap { finished($0.valueGradients, $0.keys.count, 1) }
    )
  }

  private func finished(_ gradients: AlignedBuffer, _ count: Int, _ scale: Double) -> [Float] {
    let d = layout.headDimension
    return [Float](unsafeUninitializedCapacity: count * d) { target, written in
      if let base = target.baseAddress {
        kernel.finishGradients(
          gradients.floats, scale: scale, rowCount: count, layout: layout, into: base)
      }
      written = count * d
    }
  }

  private func withRows(
    _ elements: [Float], _ range: Range<Int>, _ body: (UnsafeRawPointer) -> Void
  ) {
    let d = layout.headDimension
    elements.withUnsafeBytes { bytes in
      if let base = bytes.baseAddress { body(base + range.lowerBound * d * 4) }
    }
  }
}

extension BackwardHead {
  /// O and LSE, by the forward pass.
  private func forward() {
    let head = keyTiles.map { tile in
      let packed = AlignedBuffer(count: layout.tileFloats(keyCount: tile.keys.count))
      withRows(keys, tile.keys) { keys in
        withRows(values, tile.keys) { values in
          kernel.packTile(
            keys: keys, values: values, type: .float32, keyCount: tile.keys.count, layout: layout,
            into: packed.floats)
        }
      }
      return (keys: tile.keys, packed: packed)
    }
    for tile in queryTiles { forward(tile.rows, head) }
  }

  private func forward(_ range: Range<Int>, _ head: [(keys: Range<Int>, packed: AlignedBuffer)]) {
    let rows = AlignedBuffer(count: layout.queryFloats(rowCount: range.count))
    let accumulator = AlignedBuffer(count: layout.accumulatorFloats(rowCount: range.count))
    let statistics = AlignedBuffer(count: 2 * Plan.queryTileRows)
    let state = StatePointers(
      accumulator: accumulator.floats, maximum: statistics.floats,
      sum: statistics.floats + Plan.queryTileRows)
    let work = AlignedBuffer(count: PackedLayout.scratchFloats)
    withRows(queries, range) {
      kernel.packQueries(
        rows: $0, type: .float32, rowCount: range.count, scale: scale, layout: layout,
        into: rows.floats)
    }
    kernel.resetState(state, rowCount: range.count, layout: layout)
    for tile in head {
      mask.forEachSlice(rows: range, keys: tile.keys) { slice in
        kernel.fold(
          slice, queries: rows.floats, scale: scale, tile: tile.packed.floats, layout: layout,
          keyCount: tile.keys.count, state: state, scratch: work.floats)
      }
    }
    var output = [Float](repeating: 0, count: range.count * layout.headDimension)
    var logSumExp = [Float](repeating: 0, count: range.count)
    kernel.finish(
      state, rowCount: range.count, layout: layout, output: &output, logSumExp: &logSumExp)
    outputs += output
    self.logSumExp += logSumExp
  }
}

extension AlignedBuffer {
  fileprivate func clear() { floats.update(repeating: 0, count: count) }
}
