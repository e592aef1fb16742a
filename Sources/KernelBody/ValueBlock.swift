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
  package static func valueBlock<Tile: RegisterTile>(
    _: Tile.Type, _ fold: FoldArguments, _ row: Int
  ) {
    let padded = fold.layout.paddedDimension
    var column = 0
    while column &+ Tile.Columns.width <= padded {
      valueColumns(Tile.self, fold, row, column)
      column &+= Tile.Columns.width
    }
    if column < padded { valueColumns(Tile.Narrow.self, fold, row, column) }
  }

  /// The columns of one register tile. A row takes exactly the keys that it sees: those that all
  /// rows of the block see go through the block's register tile, the rest row by row from where
  /// the block stopped.
  @_alwaysEmitIntoClient @inline(__always)
  package static func valueColumns<Tile: RegisterTile>(
    _: Tile.Type, _ fold: FoldArguments, _ row: Int, _ column: Int
  ) {
    let common = fold.visibleKeys(row: row)
    let most = fold.visibleKeys(row: row &+ Tile.rows &- 1)
    if common > 0 {
      sumValues(
        Tile.self, fold, row, column, block: 0, keys: 0, common, isLast: common == most)
    }
    if common == most { return }
    var r = 0
    while r < Tile.rows {
      let visible = fold.visibleKeys(row: row &+ r)
      if visible > 0 {
        sumValues(
          OneRow<Tile.Columns>.self, fold, row &+ r, column, block: r, keys: common, visible,
          isLast: true)
      }
      r &+= 1
    }
  }

  /// Takes the sums of a block's rows, from its row `r` on, over keys `first ..< end`. They start
  /// at key 0 or where a call that was not the last left them in scratch; the last adds them to O~.
  @_alwaysEmitIntoClient @inline(__always)
  package static func sumValues<Tile: RegisterTile>(
    _: Tile.Type, _ fold: FoldArguments, _ row: Int, _ column: Int, block r: Int,
    keys first: Int, _ end: Int, isLast: Bool
  ) {
    let chunk = PackedLayout.valueChunk
    let weights = UnsafePointer(fold.scratch) + r &* 256
    let pending = fold.pendingSums + r &* 32
    let total = fold.tileSums + r &* 32
    var tile = first == 0 ? Tile(repeating: -0.0) : Tile(loading: pending, stride: 32)
    var key = first
    while key < end {
      // A chunk closes when the next one opens, so that a row's operations depend on nothing but
      // how many keys it sees.
      if key > 0 && key & (chunk &- 1) == 0 {
        if key > chunk { tile.add(total, stride: 32) }
        tile.store(to: total, stride: 32)
        tile = Tile(repeating: -0.0)
      }
      let chunkEnd = (key & ~(chunk &- 1)) &+ chunk
      let stop = chunkEnd < end ? chunkEnd : end
      let v = fold.valueColumn(column, key: key)
      multiply(
        Self.self, into: &tile, left: weights + key, leftStride: 256, right: v.start,
        rightStride: v.stride, count: stop &- key)
      key = stop
    }
    if !isLast {
      tile.store(to: pending, stride: 32)
      return
    }
    if end > chunk { tile.add(total, stride: 32) }
    let padded = fold.layout.paddedDimension
    let o = fold.state.accumulator + row &* padded + column
    tile.add(Self.self, o, stride: padded, times: fold.factors + r)
    tile.store(to: o, stride: padded)
  }
}
