extension CPULevel {
  /// tile[r][columns] += sum over i in `band`'s interval of row r of left[r][i] right[i][columns], each
  /// row over its own interval, in ascending order. `left` and `right` point to index 0, and are words
  /// of 2^pairing elements along i.
  ///
  /// The words that all rows have in common go through the register tile; those before and behind
  /// them row by row, by way of `pending`, [rows][Tile.Columns.width] in scratch. Nothing outside a row's
  /// interval takes part in it, so its bits don't depend on the rows beside it.
  @_alwaysEmitIntoClient @inline(__always)
  package static func multiplyBand<Tile: RegisterTile, Products: CPULevel>(
    _: Products.Type, into tile: inout Tile, _ band: KeyVisibility, pairing: Int = 0,
    left: UnsafePointer<Float>, leftStride: Int, leftStep: Int = 1,
    right: UnsafePointer<Float>, rightStride: Int, pending: UnsafeMutablePointer<Float>
  ) {
    let last = Tile.rows &- 1
    // Intervals move on from row to row: the last row's starts last, the first row's ends first.
    let start = (band.start(last) &+ pairing) &>> pairing
    let end = band.end(0) &>> pairing
    if start &<< pairing != band.start(0) {
      multiplyRows(
        Products.self, into: &tile, band.among(0, start &<< pairing), pairing: pairing, left: left,
        leftStride: leftStride, leftStep: leftStep, right: right, rightStride: rightStride,
        pending: pending)
    }
    if start < end {
      multiply(
        Products.self, into: &tile, left: left + start &* leftStep, leftStride: leftStride,
        leftStep: leftStep, right: right + start &* rightStride, rightStride: rightStride,
        count: end &- start)
    }
    if end &<< pairing != band.end(last) {
      multiplyRows(
        Products.self, into: &tile,
        band.among((start < end ? end : start) &<< pairing, band.ceiling), pairing: pairing,
        left: left, leftStride: leftStride, leftStep: leftStep, right: right,
        rightStride: rightStride, pending: pending)
    }
  }

  /// The same, one row at a time. Of a word that a row has half, the other half counts as zero.
  @_alwaysEmitIntoClient @inline(__always)
  package static func multiplyRows<Tile: RegisterTile, Products: CPULevel>(
    _: Products.Type, into tile: inout Tile, _ band: KeyVisibility, pairing: Int,
    left: UnsafePointer<Float>, leftStride: Int, leftStep: Int,
    right: UnsafePointer<Float>, rightStride: Int, pending: UnsafeMutablePointer<Float>
  ) {
    typealias Columns = Tile.Columns
    let width = Columns.width
    tile.store(to: pending, stride: width)
    var row = 0
    while row < Tile.rows {
      let start = (band.start(row) &+ pairing) &>> pairing
      let end = band.end(row) &>> pairing
      let left = left + row &* leftStride
      var sum = OneRow<Columns>(loading: pending + row &* width, stride: width)
      if band.start(row) < band.end(row) {
        if start &<< pairing != band.start(row) {
          let word = start &- 1
          sum.accumulate(
            Products.self, left + word &* leftStep, stride: 0,
            Columns(loading: right + word &* rightStride).masked(0xFFFF_0000))
        }
        multiply(
          Products.self, into: &sum, left: left + start &* leftStep, leftStride: 0,
          leftStep: leftStep, right: right + start &* rightStride, rightStride: rightStride,
          count: end &- start)
        if end &<< pairing != band.end(row) {
          sum.accumulate(
            Products.self, left + end &* leftStep, stride: 0,
            Columns(loading: right + end &* rightStride).masked(0x0000_FFFF))
        }
        sum.store(to: pending + row &* width, stride: width)
      }
      row &+= 1
    }
    tile = Tile(loading: pending, stride: width)
  }

  /// target[rows][key - origin] = rows [rows][words] panels^T over the keys first ..< end, and a few
  /// beside them up to the next multiples of sixteen. `target` has rows `stride` floats apart, `rows`
  /// `rowStride`; `origin` and `first` are multiples of sixteen.
  @_alwaysEmitIntoClient @inline(__always)
  package static func panelProducts<Tile: RegisterTile, Products: CPULevel>(
    _: Tile.Type, _: Products.Type, _ rows: UnsafePointer<Float>, rowStride: Int,
    _ panels: UnsafePointer<Float>,
    words: Int, first: Int, end: Int, into target: UnsafeMutablePointer<Float>, origin: Int,
    stride: Int
  ) {
    let width = Tile.Columns.width
    var key = first
    while key < end {
      // Panels [words][64 keys]. The widest part of one that starts here and isn't half beyond the end.
      let panel = panels + (key & ~63) &* words + (key & 63)
      let place = target + (key &- origin)
      if key & (width &- 1) == 0 && end &- key > width / 2 {
        product(Tile.self, Products.self, rows, rowStride, panel, words, into: place, stride)
        key &+= width
      } else if key & (width / 2 &- 1) == 0 && end &- key > width / 4 {
        product(Tile.Narrow.self, Products.self, rows, rowStride, panel, words, into: place, stride)
        key &+= Tile.Narrow.Columns.width
      } else {
        product(
          Tile.Narrow.Narrow.self, Products.self, rows, rowStride, panel, words, into: place, stride
        )
        key &+= Tile.Narrow.Narrow.Columns.width
      }
    }
  }

  @_alwaysEmitIntoClient @inline(__always)
  package static func product<Tile: RegisterTile, Products: CPULevel>(
    _: Tile.Type, _: Products.Type, _ rows: UnsafePointer<Float>, _ rowStride: Int,
    _ panel: UnsafePointer<Float>,
    _ words: Int, into target: UnsafeMutablePointer<Float>, _ stride: Int
  ) {
    var tile = Tile(repeating: 0)
    multiply(
      Products.self, into: &tile, left: rows, leftStride: rowStride, right: panel, rightStride: 64,
      count: words)
    tile.store(to: target, stride: stride)
  }
}
