extension CPULevel {
  /// Folds one K/V tile into every row of a query tile (FlashAttention's loop body, Dao 2023,
  /// algorithm 1, with the un-normalised accumulator).
  ///
  /// Rows go in bands of 16: the scores of a band stay in L1, a K panel and a chunk of V serve
  /// several register tiles from there, and the statistics of a band are vectors. Inside a band they go in register
  /// tiles of `Tile.rows`, the rest of 4, 2 and 1. Per row, the operations and their order are the same
  /// in every band and tile height, and only keys that the row sees take part, so a row's bits depend on
  /// nothing but the row and the tile.
  ///
  /// `Products` multiplies and adds in the two products: the level itself, or `BFloat16Pairs` of it.
  @_alwaysEmitIntoClient @inline(__always)
  package static func foldTile<Tile: RegisterTile, Products: CPULevel>(
    _: Tile.Type, _: Products.Type, _ fold: FoldArguments
  ) {
    var row = 0
    while row < fold.rowCount {
      let left = fold.rowCount &- row
      let rows = RowBand(
        first: row, count: left < FoldArguments.bandRows ? left : FoldArguments.bandRows,
        visibility: fold.visibility.from(row: row))
      // A band that sees nothing leaves its state untouched.
      if rows.start < rows.end {
        scoreBand(Tile.self, Products.self, fold, rows)
        softmaxBand(fold, rows)
        if fold.layout.operands == .bfloat16 { pairWeights(fold.scratch, rows) }
        valueBand(Tile.self, Products.self, fold, rows)
      }
      row &+= rows.count
    }
  }

  /// S [rows][256] = Q [rows][d] K^T, not yet times `factor`, panel by panel.
  @_alwaysEmitIntoClient @inline(__always)
  package static func scoreBand<Tile: RegisterTile, Products: CPULevel>(
    _: Tile.Type, _: Products.Type, _ fold: FoldArguments, _ rows: RowBand
  ) {
    var key = rows.start & ~63
    while key < rows.end {
      var row = 0
      scoreRows(Tile.self, Products.self, fold, rows, panel: key, &row)
      scoreRows(FourRows<Tile.Columns>.self, Products.self, fold, rows, panel: key, &row)
      scoreRows(TwoRows<Tile.Columns>.self, Products.self, fold, rows, panel: key, &row)
      scoreRows(OneRow<Tile.Columns>.self, Products.self, fold, rows, panel: key, &row)
      key &+= 64
    }
  }

  @_alwaysEmitIntoClient @inline(__always)
  package static func scoreRows<Tile: RegisterTile, Products: CPULevel>(
    _: Tile.Type, _: Products.Type, _ fold: FoldArguments, _ rows: RowBand, panel key: Int,
    _ row: inout Int
  ) {
    let words = fold.layout.rowWords
    while row &+ Tile.rows <= rows.count {
      let seen = rows.visibility.from(row: row).among(key, key &+ 64)
      if seen.start(0) < seen.end(Tile.rows &- 1) {
        panelProducts(
          Tile.self, Products.self, fold.queries + (rows.first &+ row) &* words, rowStride: words,
          fold.tile, words: words, first: seen.start(0) & ~15, end: seen.end(Tile.rows &- 1),
          into: fold.scratch + row &* 256, origin: 0, stride: 256)
      }
      row &+= Tile.rows
    }
  }
}

/// Consecutive rows of a query tile, and what they see.
@usableFromInline
package struct RowBand {
  @usableFromInline package let first: Int
  @usableFromInline package let count: Int
  /// Rows counted from `first` on.
  @usableFromInline package let visibility: KeyVisibility

  @_alwaysEmitIntoClient @inline(__always)
  package init(first: Int, count: Int, visibility: KeyVisibility) {
    self.first = first
    self.count = count
    self.visibility = visibility
  }

  /// The keys that any of the rows sees.
  @_alwaysEmitIntoClient @inline(__always)
  package var start: Int { visibility.start(0) }

  @_alwaysEmitIntoClient @inline(__always)
  package var end: Int { visibility.end(count &- 1) }
}
