extension CPULevel {
  /// Adds to dQ, dK and dV what one query tile and one K/V tile give (FlashAttention-2's backward
  /// pass, Dao 2023, algorithm 2): with S = Q K^T, P = 2^(factor S - log2(e) LSE), dP = dO V^T and
  /// dS = P (dP - D),
  ///
  ///     dV += P^T dO,  dK += dS^T Q,  dQ += dS K.
  ///
  /// LSE and D are of the whole row, not of this tile. Keys go in blocks of 64, ascending. In each
  /// block a sum starts at -0, runs over rows or keys in ascending order, and is added once; only
  /// pairs of which the row sees the key take part.
  @_alwaysEmitIntoClient @inline(__always)
  package static func backwardTile<Tile: RegisterTile>(_: Tile.Type, _ step: BackwardArguments) {
    let most = step.visibleKeys(row: step.rowCount &- 1)
    var key = 0
    while key < most {
      let next = key &+ BackwardArguments.blockKeys
      let block = KeyBlock(first: key, end: next < step.keyCount ? next : step.keyCount)
      products(Tile.self, step, block, step.queries, step.keyPanels, into: step.weights)
      products(
        Tile.self, step, block, step.outputGradients, step.valuePanels, into: step.weightGradients)
      differentiate(step, block)
      addKeyGradients(
        Tile.self, step, block, step.weights, step.outputGradients, into: step.valueGradients)
      addKeyGradients(
        Tile.self, step, block, step.weightGradients, step.queries, into: step.keyGradients)
      addQueryGradients(Tile.self, step, block)
      key = next
    }
  }

  /// target [rows][64] = rows [rows][d] panels^T, for each register tile of rows the panels of the
  /// block that its last row sees.
  @_alwaysEmitIntoClient @inline(__always)
  package static func products<Tile: RegisterTile>(
    _: Tile.Type, _ step: BackwardArguments, _ block: KeyBlock, _ rows: UnsafePointer<Float>,
    _ panels: UnsafePointer<Float>, into target: UnsafeMutablePointer<Float>
  ) {
    var key = block.first
    while key < block.end {
      var row = 0
      productRows(Tile.self, step, block, key, rows, panels, into: target, &row)
      productRows(FourRows<Tile.Columns>.self, step, block, key, rows, panels, into: target, &row)
      productRows(TwoRows<Tile.Columns>.self, step, block, key, rows, panels, into: target, &row)
      productRows(OneRow<Tile.Columns>.self, step, block, key, rows, panels, into: target, &row)
      key &+= Tile.Columns.width
    }
  }

  @_alwaysEmitIntoClient @inline(__always)
  package static func productRows<Tile: RegisterTile>(
    _: Tile.Type, _ step: BackwardArguments, _ block: KeyBlock, _ key: Int,
    _ rows: UnsafePointer<Float>, _ panels: UnsafePointer<Float>,
    into target: UnsafeMutablePointer<Float>, _ row: inout Int
  ) {
    let (d, padded) = (step.layout.headDimension, step.layout.paddedDimension)
    let panel = panels + (key & ~31) &* d + (key & 31)
    while row &+ Tile.rows <= step.rowCount {
      if key < step.visibleKeys(row: row &+ Tile.rows &- 1) {
        var tile = Tile(repeating: 0)
        multiply(
          Self.self, into: &tile, left: rows + row &* padded, leftStride: padded, right: panel,
          rightStride: 32, count: d)
        tile.store(to: target + row &* 64 + (key &- block.first), stride: 64)
      }
      row &+= Tile.rows
    }
  }

  /// S becomes P, and dP becomes dS, where rows see keys.
  @_alwaysEmitIntoClient @inline(__always)
  package static func differentiate(_ step: BackwardArguments, _ block: KeyBlock) {
    var row = 0
    while row < step.rowCount {
      let visible = step.visibleKeys(row: row, from: block.first, to: block.end)
      if visible > 0 {
        differentiateRow(
          step.weights + row &* 64, step.weightGradients + row &* 64, visible: visible,
          factor: step.factor, logSumExp: step.logSumExp[row], difference: step.differences[row])
      }
      row &+= 1
    }
  }

  /// A row of a block; out of line for the sake of `exp2Lanes`, like `exponentiateRow`. A row of
  /// which every logit is -infinity has an LSE of -infinity, and P = 0. LSE is rounded, and with large
  /// logits may be far below one of them: P is at most 1 all the same.
  @_alwaysEmitIntoClient @inline(never)
  package static func differentiateRow(
    _ scores: UnsafeMutablePointer<Float>, _ products: UnsafeMutablePointer<Float>, visible: Int,
    factor: Float, logSumExp: Float, difference: Float
  ) {
    let shift = Lanes(repeating: logSumExp == -.infinity ? 0 : -logSumExp)
    let factors = Lanes(repeating: factor)
    let differences = Lanes(repeating: difference)
    var key = 0
    while key < visible {
      let logits = multiplyAdd(shift, loadLanes(scores + key), factors)
      // A comparison with NaN is false and lets NaN through.
      let weights = exp2Lanes(
        Self.self, logits.replacing(with: Lanes(repeating: 0), where: logits .> 0))
      storeLanes(weights, to: scores + key)
      storeLanes(weights * (loadLanes(products + key) - differences), to: products + key)
      key &+= 16
    }
  }
}

/// Keys `first ..< end` of a tile.
@usableFromInline
package struct KeyBlock {
  @usableFromInline package let first: Int
  @usableFromInline package let end: Int

  @_alwaysEmitIntoClient @inline(__always)
  package init(first: Int, end: Int) {
    self.first = first
    self.end = end
  }
}
