/// One fold: a query tile, a K/V tile, the state, and what is visible.
@usableFromInline
package struct FoldArguments {
  /// Q [rowCount][headDimension], times the power of two of `LogitScale`.
  @usableFromInline package let queries: UnsafePointer<Float>
  /// What scores are still to be multiplied by: the factor of `LogitScale`.
  @usableFromInline package let factor: Float
  /// K panels, then V rows.
  @usableFromInline package let tile: UnsafePointer<Float>
  @usableFromInline package let layout: PackedLayout
  @usableFromInline package let rowCount: Int
  @usableFromInline package let keyCount: Int
  @usableFromInline package let visibility: KeyVisibility
  @usableFromInline package let state: StatePointers
  /// `PackedLayout.scratchFloats` floats.
  @usableFromInline package let scratch: UnsafeMutablePointer<Float>

  @_alwaysEmitIntoClient @inline(__always)
  package init(
    queries: UnsafePointer<Float>, factor: Float, tile: UnsafePointer<Float>, layout: PackedLayout,
    rowCount: Int, keyCount: Int, visibility: KeyVisibility, state: StatePointers,
    scratch: UnsafeMutablePointer<Float>
  ) {
    self.queries = queries
    self.factor = factor
    self.tile = tile
    self.layout = layout
    self.rowCount = rowCount
    self.keyCount = keyCount
    self.visibility = visibility
    self.state = state
    self.scratch = scratch
  }

  @_alwaysEmitIntoClient @inline(__always)
  package func visibleKeys(row: Int) -> Int { visibility.count(row: row, keyCount: keyCount) }

  // Scratch: scores [8][256], and behind them what follows. Sums are [8][32], a register tile's.

  /// 2^(m - m') of each row of a block.
  @_alwaysEmitIntoClient @inline(__always)
  package var factors: UnsafeMutablePointer<Float> { scratch + 8 &* 256 }

  /// m' of each row of a block.
  @_alwaysEmitIntoClient @inline(__always)
  package var maxima: UnsafeMutablePointer<Float> { factors + 16 }

  /// P V over the closed chunks of the tile.
  @_alwaysEmitIntoClient @inline(__always)
  package var tileSums: UnsafeMutablePointer<Float> { maxima + 16 }

  /// P V over the keys so far of the open chunk.
  @_alwaysEmitIntoClient @inline(__always)
  package var pendingSums: UnsafeMutablePointer<Float> { tileSums + 8 &* 32 }

  /// Floats of all that.
  @_alwaysEmitIntoClient @inline(__always)
  package static var scratchFloats: Int { 8 &* 256 &+ 2 &* 16 &+ 2 &* 8 &* 32 }

  /// Where V has `column` of `key`, and how far apart keys are.
  @_alwaysEmitIntoClient @inline(__always)
  package func valueColumn(_ column: Int, key: Int) -> (start: UnsafePointer<Float>, stride: Int) {
    let place = layout.panelPlace(column: column, key: key, keyCount: keyCount)
    return (tile + layout.keyTileFloats(keyCount: keyCount) + place.offset, place.stride)
  }
}
