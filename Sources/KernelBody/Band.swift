extension CPULevel {
  /// tile[r][columns] += sum over i in `band`'s interval of row r of left[r][i] right[i][columns], each
  /// row over its own interval, in ascending order. `left` and `right` point to index 0.
  ///
  /// The indices that all rows have in common go through the register tile; those before and behind
  /// them row by row, by way of `pending`, [rows][Tile.Columns.width] in scratch. Nothing outside a row's
  /// interval takes part in it, so its bits don't depend on the rows beside it.
  @_alwaysEmitIntoClient @inline(__always)
  package static func multiplyBand<Tile: RegisterTile>(
    into tile: inout Tile, _ band: KeyVisibility,
    left: UnsafePointer<Float>, leftStride: Int, leftStep: Int = 1,
    right: UnsafePointer<Float>, rightStride: Int, pending: UnsafeMutablePointer<Float>
  ) {
    let last = Tile.rows &- 1
    // Intervals move on from row to row: the last row's starts last, the first row's ends first.
    let start = band.start(last)
    let end = band.end(0)
    if start != band.start(0) {
      multiplyRows(
        into: &tile, band.among(0, start), left: left, leftStride: leftStride, leftStep: leftStep,
        right: right, rightStride: rightStride, pending: pending)
    }
    if start < end {
      multiply(
        Self.self, into: &tile, left: left + start &* leftStep, leftStride: leftStride,
        leftStep: leftStep, right: right + start &* rightStride, rightStride: rightStride,
        count: end &- start)
    }
    if end != band.end(last) {
      multiplyRows(
        into: &tile, band.among(start < end ? end : start, band.ceiling), left: left,
        leftStride: leftStride, leftStep: leftStep, right: right, rightStride: rightStride,
        pending: pending)
    }
  }

  /// The same, one row at a time.
  @_alwaysEmitIntoClient @inline(__always)
  package static func multiplyRows<Tile: RegisterTile>(
    into tile: inout Tile, _ band: KeyVisibility,
    left: UnsafePointer<Float>, leftStride: Int, leftStep: Int,
    right: UnsafePointer<Float>, rightStride: Int, pending: UnsafeMutablePointer<Float>
  ) {
    let width = Tile.Columns.width
    tile.store(to: pending, stride: width)
    var row = 0
    while row < Tile.rows {
      let start = band.start(row)
      let end = band.end(row)
      if start < end {
        var sum = OneRow<Tile.Columns>(loading: pending + row &* width, stride: width)
        multiply(
          Self.self, into: &sum, left: left + row &* leftStride + start &* leftStep, leftStride: 0,
          leftStep: leftStep, right: right + start &* rightStride, rightStride: rightStride,
          count: end &- start)
        sum.store(to: pending + row &* width, stride: width)
      }
      row &+= 1
    }
    tile = Tile(loading: pending, stride: width)
  }

  /// target[rows][key - origin] = rows [rows][d] panels^T over the keys first ..< end, and a few beside
  /// them up to the next multiples of sixteen. `target` has rows `stride` floats apart; `rows` d or more
  /// (`rowStride`); `origin` and `first` are multiples of sixteen.
  @_alwaysEmitIntoClient @inline(__always)
  package static func panelProducts<Tile: RegisterTile>(
    _: Tile.Type, _ rows: UnsafePointer<Float>, rowStride: Int, _ panels: UnsafePointer<Float>,
    dimension d: Int, first: Int, end: Int, into target: UnsafeMutablePointer<Float>, origin: Int,
    stride: Int
  ) {
    let width = Tile.Columns.width
    var key = first
    while key < end {
      // Panels [d][64 keys]. The widest part of one that starts here and isn't half beyond the end.
      let panel = panels + (key & ~63) &* d + (key & 63)
      let place = target + (key &- origin)
      if key & (width &- 1) == 0 && end &- key > width / 2 {
        product(Tile.self, rows, rowStride, panel, d, into: place, stride)
        key &+= width
      } else if key & (width / 2 &- 1) == 0 && end &- key > width / 4 {
        product(Tile.Narrow.self, rows, rowStride, panel, d, into: place, stride)
        key &+= Tile.Narrow.Columns.width
      } else {
        product(Tile.Narrow.Narrow.self, rows, rowStride, panel, d, into: place, stride)
        key &+= Tile.Narrow.Narrow.Columns.width
      }
    }
  }

  @_alwaysEmitIntoClient @inline(__always)
  package static func product<Tile: RegisterTile>(
    _: Tile.Type, _ rows: UnsafePointer<Float>, _ rowStride: Int, _ panel: UnsafePointer<Float>,
    _ d: Int, into target: UnsafeMutablePointer<Float>, _ stride: Int
  ) {
    var tile = Tile(repeating: 0)
    multiply(
      Self.self, into: &tile, left: rows, leftStride: rowStride, right: panel, rightStride: 64,
      count: d)
    tile.store(to: target, stride: stride)
  }
}
