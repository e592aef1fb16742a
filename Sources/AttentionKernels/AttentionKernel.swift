@_exported public import KernelBody

/// The exact-attention kernels of one CPU level: pack, fold, finish.
///
/// One query tile (up to 64 consecutive tokens of one query head) folds K/V tiles (up to 256 keys
/// of one kv head) in ascending order; `StatePointers` is all that is carried from fold to fold. A
/// row's bits depend on the row, the tiles and the level's `arithmeticClass` only: not on the
/// height of its query tile, on its neighbours, on threads, or on how folds are spread over calls.
///
/// A layout with bfloat16 operands has Q, K, V and the weights rounded to bfloat16 on the way into the
/// products; sums, statistics and the output are float32 all the same.
///
/// Float buffers (packed tiles, accumulator, scratch) start on 64-byte boundaries; rows, raw or packed,
/// m, l, output and LSE need none. Distinct arguments don't overlap. Buffers may be shared by
/// threads that only read them; scratch belongs to one thread.
package struct AttentionKernel: Sendable {
  package let level: KernelLevel

  /// Kernels of `level`, which this CPU must support.
  package init(level: KernelLevel = .best) {
    precondition(level.isSupported, "this CPU has no \(level.name)")
    self.level = level
  }

  /// Packs one head of a K/V tile: `keys` and `values` are rows [keyCount][headDimension] of
  /// `type`, contiguous, of any alignment. Fills `layout.tileFloats(keyCount:)` floats of `target`.
  package func packTile(
    keys: UnsafeRawPointer, values: UnsafeRawPointer, type: ElementType, keyCount: Int,
    layout: PackedLayout, into target: UnsafeMutablePointer<Float>
  ) {
    precondition((1...PackedLayout.keyCountMaximum).contains(keyCount), "\(keyCount) keys")
    assert(isAligned(target))
    level.doors.packTile(
      keys: keys, values: values, type: type, keyCount: keyCount, layout: layout, into: target)
  }

  /// Packs query rows [rowCount][headDimension] of `type` into `layout.queryFloats(rowCount:)`
  /// floats of `target`, for logits scale * (q . k); `fold` takes the same `scale`.
  package func packQueries(
    rows: UnsafeRawPointer, type: ElementType, rowCount: Int, scale: Double,
    layout: PackedLayout, into target: UnsafeMutablePointer<Float>
  ) {
    precondition((1...PackedLayout.rowCountMaximum).contains(rowCount), "\(rowCount) rows")
    assert(isAligned(target))
    level.doors.packQueries(
      rows: rows, type: type, rowCount: rowCount, scale: scale, layout: layout, into: target)
  }

  /// Makes the state of `rowCount` rows that of rows which saw no key.
  package func resetState(_ state: StatePointers, rowCount: Int, layout: PackedLayout) {
    level.doors.reset(state, rowCount: rowCount, layout: layout)
  }

  /// Folds one K/V tile into the state of every row of a query tile.
  ///
  /// - Parameters:
  ///   - queries: from `packQueries`, `rowCount` rows, of the same `scale`.
  ///   - tile: from `packTile`, `keyCount` keys, of the same `layout`.
  ///   - visibility: which keys of this tile each row sees. Others never contribute, even where K
  ///     or V hold NaN or infinity; a row that sees none keeps its state bit for bit.
  ///   - shape: what becomes of logits before the softmax, in the same way in every fold of a row.
  ///   - distance: position of row 0 minus position of key 0; ALiBi needs it.
  ///   - scratch: `PackedLayout.scratchFloats` floats, of any content.
  package func fold(
    queries: UnsafePointer<Float>, scale: Double, tile: UnsafePointer<Float>,
    layout: PackedLayout,
    rowCount: Int, keyCount: Int, visibility: KeyVisibility, shape: LogitShape = .plain,
    distance: Int? = nil, state: StatePointers, scratch: UnsafeMutablePointer<Float>
  ) {
    precondition((1...PackedLayout.keyCountMaximum).contains(keyCount), "\(keyCount) keys")
    precondition((1...PackedLayout.rowCountMaximum).contains(rowCount), "\(rowCount) rows")
    precondition(shape.slope == 0 || distance != nil, "ALiBi without a distance")
    precondition(visibility.ceiling <= keyCount, "key \(visibility.ceiling) of \(keyCount)")
    assert(isAligned(tile) && isAligned(scratch))
    assert(isAligned(state.accumulator))
    let arguments = FoldArguments(
      queries: queries, factor: LogitScale(scale).factor, tile: tile, layout: layout,
      rowCount: rowCount, keyCount: keyCount, visibility: visibility, shape: shape,
      distance: distance ?? 0, state: state, scratch: scratch)
    switch layout.operands {
    case .float32: level.doors.fold(arguments)
    case .bfloat16: level.pairDoors.foldPairs(arguments)
    }
  }

  /// Normalises `rowCount` rows: `output` [rowCount][headDimension] without padding, `logSumExp`
  /// [rowCount], natural logarithm. A row that saw no key, or only logits of -infinity, gives 0 and
  /// -infinity; every NaN is 0x7FC00000. The state stays as it is.
  package func finish(
    _ state: StatePointers, rowCount: Int, layout: PackedLayout,
    output: UnsafeMutablePointer<Float>, logSumExp: UnsafeMutablePointer<Float>
  ) {
    level.doors.finish(
      state, rowCount: rowCount, layout: layout, output: output, logSumExp: logSumExp)
  }

  private func isAligned(_ pointer: UnsafeRawPointer) -> Bool {
    Int(bitPattern: pointer) % 64 == 0
  }
}
