import AttentionKernels

/// Gradients of one head through a kernel, query tile by query tile and K/V tile by K/V tile.
struct BackwardRun {
  let kernel: AttentionKernel
  let problem: HeadProblem
  /// dO [rows][headDimension], rounded to the type of the problem.
  var outputGradients: [Double]
  var height = 64
  var tileKeys = 256
  /// Replaces the LSE, or O, that the forward pass gave.
  var logSumExp: ((Int, Float) -> Float)?
  var outputs: (([Float]) -> [Float])?

  init(_ level: KernelLevel, _ problem: HeadProblem, seed: UInt64 = 5) {
    kernel = AttentionKernel(level: level)
    self.problem = problem
    var random = SplitMix64(seed: seed)
    outputGradients = random.normals(problem.rowCount * problem.headDimension)
      .map { problem.type.rounded($0) }
  }

  /// The tolerance for gradients of which all rows of dO, or only some of them, aren't zero.
  func tolerance(rows: [Int]? = nil) -> GradientTolerance {
    let d = problem.headDimension
    let reference = problem.reference
    let rows = rows ?? Array(0..<problem.rowCount)
    let queries = rows.map(problem.query(row:))
    let gradients = rows.map { Array(outputGradients[$0 * d..<($0 + 1) * d]) }
    let sights = rows.map(problem.sight(row:))
    return GradientTolerance(
      exact: ReferenceGradients(
        of: reference, queries: queries, outputGradients: gradients, sights: sights),
      naive: ReferenceGradients(
        naive: reference, queries: queries, outputGradients: gradients, sights: sights))
  }

  struct Gradients {
    var queries: [Float] = []
    var keys: [Float] = []
    var values: [Float] = []
    var bits: [UInt32] { (queries + keys + values).map(\.bitPattern) }
  }

  func run() -> Gradients {
    let (d, layout) = (problem.headDimension, problem.layout)
    var forward = attend(kernel.level, problem)
    if let outputs { forward.output = outputs(forward.output) }
    let tiles = stride(from: 0, to: problem.keyCount, by: tileKeys).map {
      KeyTile(self, start: $0, count: min(tileKeys, problem.keyCount - $0))
    }
    let scratch = AlignedFloats(count: BackwardArguments.scratchFloats)
    var gradients = Gradients()
    for first in stride(from: 0, to: problem.rowCount, by: height) {
      let count = min(height, problem.rowCount - first)
      let range = first * d..<(first + count) * d
      let q = padded(problem.queries[range], problem.type, count)
      let dO = padded(outputGradients[range], problem.type, count)
      let o = padded(forward.output[range].map(Double.init)[...], .float32, count)
      let (lse, differences) = (AlignedFloats(count: count), AlignedFloats(count: count))
      let natural = (first..<first + count).map {
        logSumExp?($0, forward.logSumExp[$0]) ?? forward.logSumExp[$0]
      }
      kernel.prepareBackward(
        outputs: o.base, outputGradients: dO.base, logSumExp: natural, rowCount: count,
        layout: layout, differences: differences.base, binaryLogSumExp: lse.base)
      let dQ = AlignedFloats(zeros: layout.gradientFloats(rowCount: count))
      for tile in tiles {
        let step = BackwardArguments(
          queries: q.base, outputGradients: dO.base, logSumExp: lse.base,
          differences: differences.base, factor: BackwardArguments.factor(scale: problem.scale),
          tile: tile.packed.base, layout: layout, rowCount: count, keyCount: tile.count,
          visibility: KeyVisibility(ceiling: tile.count), shape: problem.shape,
          queryGradients: dQ.base, keyGradients: tile.keyGradients.base,
          valueGradients: tile.valueGradients.base, scratch: scratch.base)
        for slice in problem.mask.slices(
          rows: first..<first + count, keys: tile.start..<tile.start + tile.count)
        { kernel.backward(step.taking(slice)) }
      }
      gradients.queries += finished(dQ, count, scale: problem.scale)
    }
    for tile in tiles {
      gradients.keys += finished(tile.keyGradients, tile.count, scale: problem.scale)
      gradients.values += finished(tile.valueGradients, tile.count, scale: 1)
    }
    return gradients
  }

  private func padded(
    _ elements: ArraySlice<Double>, _ type: ElementType, _ count: Int
  ) -> AlignedFloats {
    let target = AlignedFloats(count: problem.layout.gradientFloats(rowCount: count))
    type.bytes(Array(elements)).withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress else { return }
      kernel.packRows(
        base, type: type, rowCount: count, layout: problem.layout, into: target.base)
    }
    return target
  }

  private func finished(_ gradients: AlignedFloats, _ count: Int, scale: Double) -> [Float] {
    let target = AlignedFloats(count: count * problem.headDimension)
    kernel.finishGradients(
      gradients.base, scale: scale, rowCount: count, layout: problem.layout, into: target.base)
    return target.array
  }

  private struct KeyTile {
    let start: Int
    let count: Int
    let packed: AlignedFloats
    let keyGradients: AlignedFloats
    let valueGradients: AlignedFloats

    init(_ run: BackwardRun, start: Int, count: Int) {
      let (problem, layout) = (run.problem, run.problem.layout)
      self.start = start
      self.count = count
      let packed = AlignedFloats(count: layout.backwardTileFloats(keyCount: count))
      let range = start * problem.headDimension..<(start + count) * problem.headDimension
      problem.type.bytes(Array(problem.keys[range])).withUnsafeBytes { keys in
        problem.type.bytes(Array(problem.values[range])).withUnsafeBytes { values in
          guard let keys = keys.baseAddress, let values = values.baseAddress else { return }
          run.kernel.packBackwardTile(
            keys: keys, values: values, type: problem.type, keyCount: count, layout: layout,
            into: packed.base)
        }
      }
      self.packed = packed
      keyGradients = AlignedFloats(zeros: layout.gradientFloats(rowCount: count))
      valueGradients = AlignedFloats(zeros: layout.gradientFloats(rowCount: count))
    }
  }
}

extension AlignedFloats {
  convenience init(zeros count: Int) {
    self.init(count: count)
    base.update(repeating: 0, count: count)
  }
}
