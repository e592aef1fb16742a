extension CPULevel {
  /// O~ = 2^(m - m') O~ + P V.
  ///
  /// P V of the tile is summed apart and added once. Were its products added to O~ one by one, each
  /// below half a unit in the last place of O~ would be rounded away: behind a key that holds most
  /// of the weight, the tail of a long sequence would be missing from O~, while l has it.
  ///
  /// The same happens on a small scale inside a tile, so its keys go in chunks of `valueChunk`. Per
  /// row: C = sum of p v over the visible keys of a chunk, T = sum of C over chunks, both in
  /// ascending order and both from -0, the number that changes no other; then O~ = factor O~ + T.
  @_alwaysEmitIntoClient @inline(__always)
  package static func valueBand<Tile: RegisterTile, Products: CPULevel>(
    _: Tile.Type, _: Products.Type, _ fold: FoldArguments, _ rows: RowBand
  ) {
    var column = 0
    valueColumns(Tile.self, Products.self, fold, rows, &column)
    valueColumns(Tile.Narrow.self, Products.self, fold, rows, &column)
    valueColumns(Tile.Narrow.Narrow.self, Products.self, fold, rows, &column)
  }

  /// As many columns as register tiles of this width take whole, chunk by chunk of keys.
  @_alwaysEmitIntoClient @inline(__always)
  package static func valueColumns<Tile: RegisterTile, Products: CPULevel>(
    _: Tile.Type, _: Products.Type, _ fold: FoldArguments, _ rows: RowBand, _ column: inout Int
  ) {
    typealias Columns = Tile.Columns
    while column &+ Columns.width <= fold.layout.paddedDimension {
      var key = rows.start
      while key < rows.end {
        let chunkEnd = (key & ~(PackedLayout.valueChunk &- 1)) &+ PackedLayout.valueChunk
        let next = chunkEnd < rows.end ? chunkEnd : rows.end
        var row = 0
        valueRows(Tile.self, Products.self, fold, rows, column, key, next, &row)
        valueRows(FourRows<Columns>.self, Products.self, fold, rows, column, key, next, &row)
        valueRows(TwoRows<Columns>.self, Products.self, fold, rows, column, key, next, &row)
        valueRows(OneRow<Columns>.self, Products.self, fold, rows, column, key, next, &row)
        key = next
      }
      column &+= Columns.width
    }
  }

  /// One chunk, keys `first ..< end`, of as many rows as register tiles of this height take whole.
  @_alwaysEmitIntoClient @inline(__always)
  package static func valueRows<Tile: RegisterTile, Products: CPULevel>(
    _: Tile.Type, _: Products.Type, _ fold: FoldArguments, _ rows: RowBand, _ column: Int,
    _ first: Int, _ end: Int,
    _ row: inout Int
  ) {
    let width = Tile.Columns.width
    let padded = fold.layout.paddedDimension
    let v = fold.valueColumn(column)
    while row &+ Tile.rows <= rows.count {
      let total = fold.tileSums + row &* 64
      var sums = Tile(repeating: -0.0)
      multiplyBand(
        Products.self, into: &sums, rows.visibility.from(row: row).among(first, end),
        pairing: fold.layout.pairing, left: fold.scratch + row &* 256, leftStride: 256,
        right: v.start, rightStride: v.stride,
        pending: fold.pendingSums)
      if first > rows.start { sums.add(total, stride: width) }
      if end < rows.end {
        sums.store(to: total, stride: width)
      } else {
        let o = fold.state.accumulator + (rows.first &+ row) &* padded + column
        sums.add(Self.self, o, stride: padded, times: fold.factors + row)
        sums.store(to: o, stride: padded)
      }
      row &+= Tile.rows
    }
  }
}
