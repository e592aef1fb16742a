/// One step of the backward pass: a query tile, a K/V tile, and the gradients that gain from them.
///
/// Rows are [rows][paddedDimension], float32, zeros beyond the head dimension, on 64-byte boundaries.
@usableFromInline
package struct BackwardArguments {
  /// Q and dO of the query tile, as they are.
  @usableFromInline package let queries: UnsafePointer<Float>
  @usableFromInline package let outputGradients: UnsafePointer<Float>
  /// log2(e) LSE, and D = sum(dO O), of each row.
  @usableFromInline package let logSumExp: UnsafePointer<Float>
  @usableFromInline package let differences: UnsafePointer<Float>
  /// scale * log2(e), as a `Float`.
  @usableFromInline package let factor: Float
  /// K as key panels, K as column panels, V as key panels (`PackedLayout.backwardTileFloats`).
  @usableFromInline package let tile: UnsafePointer<Float>
  @usableFromInline package let layout: PackedLayout
  @usableFromInline package let rowCount: Int
  @usableFromInline package let keyCount: Int
  @usableFromInline package let visibility: KeyVisibility
  @usableFromInline package let shape: LogitShape
  /// Position of row 0 minus position of key 0, for ALiBi.
  @usableFromInline package let distance: Int?
  /// dQ of the query tile, dK of the K/V tile: yet to be multiplied by the scale. dV.
  @usableFromInline package let queryGradients: UnsafeMutablePointer<Float>
  @usableFromInline package let keyGradients: UnsafeMutablePointer<Float>
  @usableFromInline package let valueGradients: UnsafeMutablePointer<Float>
  /// `BackwardArguments.scratchFloats` floats.
  @usableFromInline package let scratch: UnsafeMutablePointer<Float>

  @_alwaysEmitIntoClient @inline(__always)
  package init(
    queries: UnsafePointer<Float>, outputGradients: UnsafePointer<Float>,
    logSumExp: UnsafePointer<Float>, differences: UnsafePointer<Float>, factor: Float,
    tile: UnsafePointer<Float>, layout: PackedLayout, rowCount: Int, keyCount: Int,
    visibility: KeyVisibility, shape: LogitShape = .plain, distance: Int? = nil,
    queryGradients: UnsafeMutablePointer<Float>, keyGradients: UnsafeMutablePointer<Float>,
    valueGradients: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
  ) {
    self.queries = queries
    self.outputGradients = outputGradients
    self.logSumExp = logSumExp
    self.differences = differences
    self.factor = factor
    self.tile = tile
    self.layout = layout
    self.rowCount = rowCount
    self.keyCount = keyCount
    self.visibility = visibility
    self.shape = shape
    self.distance = distance
    self.queryGradients = queryGradients
    self.keyGradients = keyGradients
    self.valueGradients = valueGradients
    self.scratch = scratch
  }

  /// The factor of logits scale * (q . k).
  @_alwaysEmitIntoClient @inline(__always)
  package static func factor(scale: Double) -> Float {
    Float(scale * LogitScale.binaryLogarithmOfE)
  }

  /// Keys that are taken at a time: weights [64 rows][64 keys] and their gradients stay in L1.
  @_alwaysEmitIntoClient @inline(__always)
  package static var blockKeys: Int { 64 }

  /// P of a block, [rows][64].
  @_alwaysEmitIntoClient @inline(__always)
  package var weights: UnsafeMutablePointer<Float> { scratch }

  /// dP, then dS of a block, [rows][64].
  @_alwaysEmitIntoClient @inline(__always)
  package var weightGradients: UnsafeMutablePointer<Float> { scratch + 64 &* 64 }

  /// Sums of a register tile's rows or keys that don't all see the same.
  @_alwaysEmitIntoClient @inline(__always)
  package var pendingSums: UnsafeMutablePointer<Float> { scratch + 2 &* 64 &* 64 }

  /// The derivative of the softcap of a row's logits.
  @_alwaysEmitIntoClient @inline(__always)
  package var capSlopes: UnsafeMutablePointer<Float> { pendingSums + 8 &* 64 }

  @_alwaysEmitIntoClient @inline(__always)
  package static var scratchFloats: Int { 2 &* 64 &* 64 &+ 9 &* 64 }

  /// K and V as panels of 64 keys.
  @_alwaysEmitIntoClient @inline(__always)
  package var keyPanels: UnsafePointer<Float> { tile }

  @_alwaysEmitIntoClient @inline(__always)
  package var valuePanels: UnsafePointer<Float> { tile + layout.tileFloats(keyCount: keyCount) }

  /// Where K has `column` of key 0, and how far apart keys are.
  @_alwaysEmitIntoClient @inline(__always)
  package func keyColumn(_ column: Int) -> (start: UnsafePointer<Float>, stride: Int) {
    let place = layout.panelPlace(column: column, keyCount: keyCount)
    return (tile + layout.keyTileFloats(keyCount: keyCount) + place.offset, place.stride)
  }
}

extension PackedLayout {
  /// Floats of K and V of `keyCount` keys of one head, packed for the backward pass.
  @_alwaysEmitIntoClient @inline(__always)
  package func backwardTileFloats(keyCount: Int) -> Int {
    tileFloats(keyCount: keyCount) &+ keyTileFloats(keyCount: keyCount)
  }

  /// Floats of `rowCount` padded rows: of Q, dO, dQ, or of dK and dV by keys.
  @_alwaysEmitIntoClient @inline(__always)
  package func gradientFloats(rowCount: Int) -> Int { rowCount &* paddedDimension }
}
