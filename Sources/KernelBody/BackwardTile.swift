extension CPULevel {
  /// Adds to dQ, dK and dV what one query tile and one K/V tile give (FlashAttention-2's backward
  /// pass, Dao 2023, algorithm 2): with S = Q K^T, P = 2^(factor S - log2(e) LSE), dP = dO V^T and
  /// dS = P (dP - D),
  ///
  ///     dV += P^T dO,  dK += dS^T Q,  dQ += dS K.
  ///
  /// A `LogitShape` changes S on the way, and dS by its derivative.
  ///
  /// LSE and D are of the whole row, not of this tile. Keys go in blocks of 64, ascending. In each
  /// block a sum starts at -0, runs over rows or keys in ascending order, and is added once; only
  /// pairs of which the row sees the key take part.
  @_alwaysEmitIntoClient @inline(__always)
  package static func backwardTile<Tile: RegisterTile>(_: Tile.Type, _ step: BackwardArguments) {
    let band = step.visibility
    let end = band.end(step.rowCount &- 1)
    var key = band.start(0) & ~(BackwardArguments.blockKeys &- 1)
    while key < end {
      let next = key &+ BackwardArguments.blockKeys
      let block = KeyBlock(first: key, visibility: band.among(key, next < end ? next : end))
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

  /// target [rows][64] = rows [rows][d] panels^T, for each register tile of rows the keys of the block
  /// that any of them sees.
  @_alwaysEmitIntoClient @inline(__always)
  package static func products<Tile: RegisterTile>(
    _: Tile.Type, _ step: BackwardArguments, _ block: KeyBlock, _ rows: UnsafePointer<Float>,
    _ panels: UnsafePointer<Float>, into target: UnsafeMutablePointer<Float>
  ) {
    var row = 0
    productRows(Tile.self, step, block, rows, panels, into: target, &row)
    productRows(FourRows<Tile.Columns>.self, step, block, rows, panels, into: target, &row)
    productRows(TwoRows<Tile.Columns>.self, step, block, rows, panels, into: target, &row)
    productRows(OneRow<Tile.Columns>.self, step, block, rows, panels, into: target, &row)
  }

  @_alwaysEmitIntoClient @inline(__always)
  package static func productRows<Tile: RegisterTile>(
    _: Tile.Type, _ step: BackwardArguments, _ block: KeyBlock, _ rows: UnsafePointer<Float>,
    _ panels: UnsafePointer<Float>, into target: UnsafeMutablePointer<Float>, _ row: inout Int
  ) {
    let padded = step.layout.paddedDimension
    while row &+ Tile.rows <= step.rowCount {
      let band = block.visibility.from(row: row)
      if band.start(0) < band.end(Tile.rows &- 1) {
        panelProducts(
          Tile.self, Self.self, rows + row &* padded, rowStride: padded, panels,
          words: step.layout.headDimension, first: band.start(0) & ~15,
          end: band.end(Tile.rows &- 1), into: target + row &* 64, origin: block.first, stride: 64)
      }
      row &+= Tile.rows
    }
  }

  /// S becomes P, and dP becomes dS, where rows see keys.
  @_alwaysEmitIntoClient @inline(__always)
  package static func differentiate(_ step: BackwardArguments, _ block: KeyBlock) {
    var row = 0
    while row < step.rowCount {
      let start = block.visibility.start(row) &- block.first
      let end = block.visibility.end(row) &- block.first
      if start < end {
        let weights = step.weights + row &* 64
        if !step.shape.isPlain {
          shapeRow(
            weights, step.capSlopes, from: start, to: end, factor: step.factor, step.shape,
            distance: (step.distance ?? 0) &+ row &- block.first)
        }
        differentiateRow(
          weights, step.weightGradients + row &* 64,
          step.shape.softcap > 0 ? step.capSlopes : nil, from: start, to: end,
          factor: step.shape.isPlain ? step.factor : 1, logSumExp: step.logSumExp[row],
          difference: step.differences[row])
      }
      row &+= 1
    }
  }

  /// A row of a block; out of line for the sake of `exp2Lanes`, like `laneExponentials`. A row of
  /// which every logit is -infinity has an LSE of -infinity, and P = 0. LSE is rounded, and with large
  /// logits may be far below one of them: P is at most 1 all the same.
  @_alwaysEmitIntoClient @inline(never)
  package static func differentiateRow(
    _ scores: UnsafeMutablePointer<Float>, _ products: UnsafeMutablePointer<Float>,
    _ capSlopes: UnsafeMutablePointer<Float>?, from start: Int, to end: Int, factor: Float,
    logSumExp: Float, difference: Float
  ) {
    let shift = Lanes(repeating: logSumExp == -.infinity ? 0 : -logSumExp)
    let factors = Lanes(repeating: factor)
    let differences = Lanes(repeating: difference)
    var key = start & ~15
    while key < end {
      let logits = multiplyAdd(shift, loadLanes(scores + key), factors)
      // A comparison with NaN is false and lets NaN through.
      let weights = exp2Lanes(
        Self.self, logits.replacing(with: Lanes(repeating: 0), where: logits .> 0))
      storeLanes(weights, to: scores + key)
      var slopes = weights * (loadLanes(products + key) - differences)
      if let capSlopes { slopes *= loadLanes(capSlopes + key) }
      storeLanes(slopes, to: products + key)
      key &+= 16
    }
  }
}

/// Up to 64 keys of a tile, from `first` on, a multiple of 64, and what rows see of them.
@usableFromInline
package struct KeyBlock {
  @usableFromInline package let first: Int
  @usableFromInline package let visibility: KeyVisibility

  @_alwaysEmitIntoClient @inline(__always)
  package init(first: Int, visibility: KeyVisibility) {
    self.first = first
    self.visibility = visibility
  }
}
