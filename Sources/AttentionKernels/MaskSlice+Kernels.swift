extension AttentionKernel {
  /// Folds what a slice of a mask has of a K/V tile into the rows of a query tile that it is of; the
  /// rest as in `fold`, with all rows' queries and state. Fold the slices of a tile in their order.
  package func fold(
    _ slice: MaskSlice, queries: UnsafePointer<Float>, scale: Double,
    tile: UnsafePointer<Float>, layout: PackedLayout, keyCount: Int, shape: LogitShape = .plain,
    state: StatePointers, scratch: UnsafeMutablePointer<Float>
  ) {
    let row = slice.rows.lowerBound
    fold(
      queries: queries + layout.queryFloats(rowCount: row), scale: scale, tile: tile,
      layout: layout, rowCount: slice.rows.count, keyCount: keyCount, visibility: slice.visibility,
      shape: shape, distance: slice.distance,
      state: StatePointers(
        accumulator: state.accumulator + layout.accumulatorFloats(rowCount: row),
        maximum: state.maximum + row, sum: state.sum + row), scratch: scratch)
  }
}

extension BackwardArguments {
  /// The part of this step that a slice of a mask has; the step itself is of all rows.
  package func taking(_ slice: MaskSlice) -> BackwardArguments {
    let row = slice.rows.lowerBound
    let floats = layout.gradientFloats(rowCount: row)
    return BackwardArguments(
      queries: queries + floats, outputGradients: outputGradients + floats,
      logSumExp: logSumExp + row, differences: differences + row, factor: factor, tile: tile,
      layout: layout, rowCount: slice.rows.count, keyCount: keyCount, visibility: slice.visibility,
      shape: shape, distance: slice.distance, queryGradients: queryGradients + floats,
      keyGradients: keyGradients, valueGradients: valueGradients, scratch: scratch)
  }
}
