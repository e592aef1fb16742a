/// The backward pass, in float32 whatever the type of the rows: dQ, dK and dV from Q, K, V, O, LSE and dO,
/// a query tile and a K/V tile at a time. The order of the steps is the caller's, and part of the bits: dK and dV over ascending
/// query tiles, dQ over ascending K/V tiles. So is the cut: dK and dV gain a rounded sum from each query
/// tile, dQ from each 64 keys, and both from each slice of a mask on its own, so whoever shares a head out
/// has to cut it the same everywhere.
///
/// Rows in padded form are [rows][paddedDimension], `layout.gradientFloats(rowCount:)` floats, on
/// 64-byte boundaries.
extension AttentionKernel {
  /// Packs one head of a K/V tile: rows [keyCount][headDimension] of `type`, contiguous, of any
  /// alignment. Fills `layout.backwardTileFloats(keyCount:)` floats of `target`.
  package func packBackwardTile(
    keys: UnsafeRawPointer, values: UnsafeRawPointer, type: ElementType, keyCount: Int,
    layout: PackedLayout, into target: UnsafeMutablePointer<Float>
  ) {
    precondition((1...PackedLayout.keyCountMaximum).contains(keyCount), "\(keyCount) keys")
    precondition(layout.operands == .float32)
    level.doors.packBackwardTile(
      keys: keys, values: values, type: type, keyCount: keyCount, layout: layout, into: target)
  }

  /// Packs rows [rowCount][headDimension] of Q, O or dO, of `type`, into padded form.
  package func packRows(
    _ rows: UnsafeRawPointer, type: ElementType, rowCount: Int, layout: PackedLayout,
    into target: UnsafeMutablePointer<Float>
  ) {
    precondition((1...PackedLayout.rowCountMaximum).contains(rowCount), "\(rowCount) rows")
    level.doors.packRows(rows, type: type, rowCount: rowCount, layout: layout, into: target)
  }

  /// What a step needs of each row beside Q and dO: D = sum(dO O), and LSE, natural, in base 2.
  ///
  /// - Parameters:
  ///   - outputs: O in padded form; `outputGradients`: dO likewise.
  ///   - logSumExp: [rowCount], over all keys that a row sees, in whatever tiles they are.
  package func prepareBackward(
    outputs: UnsafePointer<Float>, outputGradients: UnsafePointer<Float>,
    logSumExp: UnsafePointer<Float>, rowCount: Int, layout: PackedLayout,
    differences: UnsafeMutablePointer<Float>, binaryLogSumExp: UnsafeMutablePointer<Float>
  ) {
    level.doors.prepare(
      outputs: outputs, outputGradients: outputGradients, logSumExp: logSumExp,
      rowCount: rowCount, layout: layout, differences: differences,
      binaryLogSumExp: binaryLogSumExp)
  }

  /// Adds what a query tile and a K/V tile give to dQ, dK and dV, all in padded form and zero before
  /// the first step. dQ and dK lack the scale until `finishGradients`. What a row doesn't see never
  /// contributes, even where it is NaN or infinite.
  package func backward(_ arguments: BackwardArguments) {
    precondition((1...PackedLayout.keyCountMaximum).contains(arguments.keyCount))
    precondition((1...PackedLayout.rowCountMaximum).contains(arguments.rowCount))
    precondition(arguments.visibility.ceiling <= arguments.keyCount)
    precondition(arguments.layout.operands == .float32)
    precondition(
      arguments.shape.slope == 0 || arguments.distance != nil, "ALiBi without a distance")
    level.doors.backward(arguments)
  }

  /// Gradients [rowCount][headDimension] from padded form, times `scale`: that of the logits for dQ and
  /// dK, 1 for dV.
  package func finishGradients(
    _ gradients: UnsafePointer<Float>, scale: Double, rowCount: Int, layout: PackedLayout,
    into target: UnsafeMutablePointer<Float>
  ) {
    let scale = Float(scale)
    level.doors.finishGradients(
      gradients, scale: scale, rowCount: rowCount, layout: layout, into: target)
  }
}
