internal import AttentionKernels
internal import AttentionMasks
internal import MeshCore

/// A query tile of one head as the backward pass reads it: Q and dO, padded, and the statistics of its rows.
struct GradientOperands {
  let queries: UnsafeMutablePointer<Float>
  let outputGradients: UnsafeMutablePointer<Float>
  /// In base 2.
  let logSumExp: UnsafeMutablePointer<Float>
  /// D.
  let differences: UnsafeMutablePointer<Float>
}

/// A K/V tile of one head: K and V, packed, and the dK and dV that grow.
struct GradientTile {
  /// Token positions.
  let keys: Range<Int>
  let packed: UnsafeMutablePointer<Float>
  let keyGradients: UnsafeMutablePointer<Float>
  let valueGradients: UnsafeMutablePointer<Float>
}

extension AttentionKernel {
  /// Adds what a query tile and a K/V tile of one query head give to dQ, dK and dV.
  ///
  /// - Parameters:
  ///   - rows: token positions of the query tile.
  ///   - head: flattened, of the queries.
  func differentiate(
    _ operands: GradientOperands, rows: Range<Int>, head: Int, _ tile: GradientTile,
    into queryGradients: UnsafeMutablePointer<Float>, job: AttentionJob, mask: AttentionMask,
    layout: PackedLayout, scratch: UnsafeMutablePointer<Float>
  ) {
    let step = BackwardArguments(
      queries: operands.queries, outputGradients: operands.outputGradients,
      logSumExp: operands.logSumExp, differences: operands.differences,
      factor: BackwardArguments.factor(scale: Double(job.scale)), tile: tile.packed,
      layout: layout, rowCount: rows.count, keyCount: tile.keys.count,
      visibility: KeyVisibility(ceiling: tile.keys.count), shape: job.logitShape(ofHead: head),
      queryGradients: queryGradients, keyGradients: tile.keyGradients,
      valueGradients: tile.valueGradients, scratch: scratch)
    mask.forEachSlice(rows: rows, keys: tile.keys, head: head % job.queryHeads) {
      backward(step.taking($0))
    }
  }

  /// Packs rows [rowCount][headDimension], however many.
  func packAllRows(
    _ rows: UnsafeRawPointer, type: ElementType, rowCount: Int, layout: PackedLayout,
    into target: UnsafeMutablePointer<Float>
  ) {
    let most = PackedLayout.rowCountMaximum
    for row in stride(from: 0, to: rowCount, by: most) {
      packRows(
        rows + row * layout.headDimension * type.byteCount, type: type,
        rowCount: min(most, rowCount - row), layout: layout,
        into: target + layout.gradientFloats(rowCount: row))
    }
  }
}
