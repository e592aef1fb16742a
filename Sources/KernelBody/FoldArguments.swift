/// One fold: a query tile, a K/V tile, the state, and what is visible.
@usableFromInline
package struct FoldArguments {
  /// Q [rowCount][rowWords], times the power of two of `LogitScale`.
  @usableFromInline package let queries: UnsafePointer<Float>
  /// What scores are still to be multiplied by: the factor of `LogitScale`.
  @usableFromInline package let factor: Float
  /// K panels, then V panels.
  @usableFromInline package let tile: UnsafePointer<Float>
  @usableFromInline package let layout: PackedLayout
  @usableFromInline package let rowCount: Int
  @usableFromInline package let keyCount: Int
  @usableFromInline package let visibility: KeyVisibility
  @usableFromInline package let shape: LogitShape
  /// Position of row 0 minus position of key 0.
  @usableFromInline package let distance: Int
  @usableFromInline package let state: StatePointers
  /// `PackedLayout.scratchFloats` floats.
  @usableFromInline package let scratch: UnsafeMutablePointer<Float>

  @_alwaysEmitIntoClient @inline(__always)
  package init(
    queries: UnsafePointer<Float>, factor: Float, tile: UnsafePointer<Float>, layout: PackedLayout,
    rowCount: Int, keyCount: Int, visibility: KeyVisibility, shape: LogitShape, distance: Int,
    state: StatePointers, scratch: UnsafeMutablePointer<Float>
  ) {
    self.queries = queries
    self.factor = factor
    self.tile = tile
    self.layout = layout
    self.rowCount = rowCount
    self.keyCount = keyCount
    self.visibility = visibility
    self.shape = shape
    self.distance = distance
    self.state = state
    self.scratch = scratch
  }

  /// Rows of a band, whose scores are in scratch at a time: as many as `Lanes` has.
  @_alwaysEmitIntoClient @inline(__always)
  package static var bandRows: Int { 16 }

  // Scratch: scores [16][256], and behind them what follows.

  /// A number of each row of a band, sixteen of each kind: m before the fold, m', l, 2^(m - m').
  @_alwaysEmitIntoClient @inline(__always)
  package var running: UnsafeMutablePointer<Float> { scratch + 16 &* 256 }

  @_alwaysEmitIntoClient @inline(__always)
  package var maxima: UnsafeMutablePointer<Float> { running + 16 }

  @_alwaysEmitIntoClient @inline(__always)
  package var sums: UnsafeMutablePointer<Float> { running + 2 &* 16 }

  @_alwaysEmitIntoClient @inline(__always)
  package var factors: UnsafeMutablePointer<Float> { running + 3 &* 16 }

  /// Maxima, then sums of each row's sixteen lanes: [rows][16 lanes].
  @_alwaysEmitIntoClient @inline(__always)
  package var lanes: UnsafeMutablePointer<Float> { running + 4 &* 16 }

  /// P V over the closed chunks of the tile, for the columns of a register tile.
  @_alwaysEmitIntoClient @inline(__always)
  package var tileSums: UnsafeMutablePointer<Float> { lanes + 256 }

  /// P V over the keys so far of the open chunk, where rows of a register tile don't all see the same.
  @_alwaysEmitIntoClient @inline(__always)
  package var pendingSums: UnsafeMutablePointer<Float> { tileSums + 16 &* 64 }

  /// Floats of all that.
  @_alwaysEmitIntoClient @inline(__always)
  package static var scratchFloats: Int { (16 &+ 1) &* 256 &+ 4 &* 16 &+ (16 &+ 8) &* 64 }

  /// Where V has `column` of key 0, and how far apart keys are.
  @_alwaysEmitIntoClient @inline(__always)
  package func valueColumn(_ column: Int) -> (start: UnsafePointer<Float>, stride: Int) {
    let place = layout.panelPlace(column: column, keyCount: keyCount)
    return (tile + layout.keyTileFloats(keyCount: keyCount) + place.offset, place.stride)
  }
}
