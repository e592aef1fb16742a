extension CPULevel {
  /// Widens rows [rowCount][d] of `type` to padded rows. `source` needs no alignment.
  @_alwaysEmitIntoClient @inline(__always)
  package static func packPaddedRows(
    _ source: UnsafeRawPointer, _ type: ElementType, rowCount: Int, layout: PackedLayout,
    into target: UnsafeMutablePointer<Float>
  ) {
    let (d, padded) = (layout.headDimension, layout.paddedDimension)
    var row = 0
    while row < rowCount {
      widenRow(
        source + row &* d &* type.byteCount, type, count: d, into: target + row &* padded,
        paddedCount: padded)
      row &+= 1
    }
  }

  /// Packs one head of a K/V tile for the backward pass: K as key panels and as column panels, then V
  /// as key panels.
  @_alwaysEmitIntoClient @inline(__always)
  package static func packBackwardTileRows(
    keys: UnsafeRawPointer, values: UnsafeRawPointer, _ type: ElementType, keyCount: Int,
    layout: PackedLayout, into target: UnsafeMutablePointer<Float>
  ) {
    packTileRows(
      keys: keys, values: keys, type, keyCount: keyCount, layout: layout, into: target)
    packKeyPanels(
      values, type, keyCount: keyCount, layout: layout,
      into: target + layout.tileFloats(keyCount: keyCount))
  }

  /// D = sum(dO O) of each padded row, and log2(e) LSE, formed in Double and rounded once.
  @_alwaysEmitIntoClient @inline(__always)
  package static func prepareRows(
    outputs: UnsafePointer<Float>, outputGradients: UnsafePointer<Float>,
    logSumExp: UnsafePointer<Float>, rowCount: Int, layout: PackedLayout,
    differences: UnsafeMutablePointer<Float>, binaryLogSumExp: UnsafeMutablePointer<Float>
  ) {
    let padded = layout.paddedDimension
    var row = 0
    while row < rowCount {
      var sums = Lanes(repeating: 0)
      var column = row &* padded
      while column < (row &+ 1) &* padded {
        sums = multiplyAdd(sums, loadLanes(outputs + column), loadLanes(outputGradients + column))
        column &+= 16
      }
      differences[row] = laneSum(sums)
      binaryLogSumExp[row] = Float(Double(logSumExp[row]) * LogitScale.binaryLogarithmOfE)
      row &+= 1
    }
  }

  /// Gradients without padding, times `scale`. Every NaN is the one quiet NaN, as in `finishRows`, and every zero
  /// is positive, whatever the sign of the scale: that of a tile which nobody computes is.
  @_alwaysEmitIntoClient @inline(__always)
  package static func finishGradientRows(
    _ gradients: UnsafePointer<Float>, scale: Float, rowCount: Int, layout: PackedLayout,
    into target: UnsafeMutablePointer<Float>
  ) {
    let (d, padded) = (layout.headDimension, layout.paddedDimension)
    var row = 0
    while row < rowCount {
      var column = 0
      while column < d {
        let value = gradients[row &* padded &+ column] * scale + 0
        target[row &* d &+ column] = value == value ? value : Float(bitPattern: 0x7FC0_0000)
        column &+= 1
      }
      row &+= 1
    }
  }
}
