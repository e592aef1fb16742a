extension CPULevel {
  /// Folds one K/V tile into every row of a query tile (FlashAttention's loop body, Dao 2023,
  /// algorithm 1, with the un-normalised accumulator).
  ///
  /// Rows go in blocks of `Tile.rows`, the rest in blocks of 4, 2 and 1. Per row, the operations
  /// and their order are the same in every block height, and only keys that the row sees take part,
  /// so a row's bits depend on nothing but the row and the tile.
  @_alwaysEmitIntoClient @inline(__always)
  package static func foldTile<Tile: RegisterTile>(_: Tile.Type, _ fold: FoldArguments) {
    var row = 0
    foldBlocks(Tile.self, fold, &row)
    foldBlocks(FourRows<Tile.Columns>.self, fold, &row)
    foldBlocks(TwoRows<Tile.Columns>.self, fold, &row)
    foldBlocks(OneRow<Tile.Columns>.self, fold, &row)
  }

  @_alwaysEmitIntoClient @inline(__always)
  package static func foldBlocks<Tile: RegisterTile>(
    _: Tile.Type, _ fold: FoldArguments, _ row: inout Int
  ) {
    while row &+ Tile.rows <= fold.rowCount {
      // Visibility grows with the row: the last row of a block sees most. A block that sees nothing
      // leaves its state untouched.
      if fold.visibleKeys(row: row &+ Tile.rows &- 1) > 0 {
        scoreBlock(Tile.self, fold, row)
        softmaxBlock(Tile.self, fold, row)
        valueBlock(Tile.self, fold, row)
      }
      row &+= Tile.rows
    }
  }

  /// S [rows][256] = Q [rows][d] K^T, not yet times `factor`, for the panels that the block's last
  /// row sees.
  @_alwaysEmitIntoClient @inline(__always)
  package static func scoreBlock<Tile: RegisterTile>(
    _: Tile.Type, _ fold: FoldArguments, _ row: Int
  ) {
    let d = fold.layout.headDimension
    let q = fold.queries + row &* d
    let visible = fold.visibleKeys(row: row &+ Tile.rows &- 1)
    var key = 0
    while key < visible {
      // Panel [d][32 keys]; a narrow tile takes it in two halves.
      let panel = fold.tile + (key & ~31) &* d + (key & 31)
      var s = Tile(repeating: 0)
      multiply(
        Self.self, into: &s, left: q, leftStride: d, right: panel, rightStride: 32, count: d)
      s.store(to: fold.scratch + key, stride: 256)
      key &+= Tile.Columns.width
    }
  }

  /// Turns S into P, updates m and l, and leaves each row's factor 2^(m - m') in scratch.
  @_alwaysEmitIntoClient @inline(__always)
  package static func softmaxBlock<Tile: RegisterTile>(
    _: Tile.Type, _ fold: FoldArguments, _ row: Int
  ) {
    let scores = fold.scratch
    let factors = fold.factors
    let maxima = fold.maxima
    let m = fold.state.maximum + row
    let l = fold.state.sum + row
    storeLanes(Lanes(repeating: 0), to: factors)
    var r = 0
    while r < Tile.rows {
      let visible = fold.visibleKeys(row: row &+ r)
      maxima[r] = rowMaximum(
        scores + r &* 256, visible: visible, factor: fold.factor, running: m[r])
      // Still -infinity: the factor is 2^0, for -infinity minus itself would be NaN.
      factors[r] = maxima[r] == -.infinity ? 0 : m[r] - maxima[r]
      r &+= 1
    }
    _ = exponentiateRow(factors, visible: 16, factor: 1, maximum: 0)
    r = 0
    while r < Tile.rows {
      let visible = fold.visibleKeys(row: row &+ r)
      if visible > 0 {
        let sum = exponentiateRow(
          scores + r &* 256, visible: visible, factor: fold.factor, maximum: maxima[r])
        l[r] = multiplyAdd(sum, factors[r], l[r])
        m[r] = maxima[r]
      }
      r &+= 1
    }
  }
}
