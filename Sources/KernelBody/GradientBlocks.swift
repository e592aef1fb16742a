extension CPULevel {
  /// target [keys][d] += weights^T [keys][rows] rows [rows][d], for the keys of a block. A key takes
  /// exactly the rows that see it: the first of them one key at a time, those that see all keys of a
  /// register tile together.
  @_alwaysEmitIntoClient @inline(__always)
  package static func addKeyGradients<Tile: RegisterTile>(
    _: Tile.Type, _ step: BackwardArguments, _ block: KeyBlock, _ weights: UnsafePointer<Float>,
    _ rows: UnsafePointer<Float>, into target: UnsafeMutablePointer<Float>
  ) {
    let padded = step.layout.paddedDimension
    var column = 0
    while column &+ Tile.Columns.width <= padded {
      keyColumns(Tile.self, step, block, weights, rows, column, into: target)
      column &+= Tile.Columns.width
    }
    if column < padded {
      keyColumns(Tile.Narrow.self, step, block, weights, rows, column, into: target)
    }
  }

  @_alwaysEmitIntoClient @inline(__always)
  package static func keyColumns<Tile: RegisterTile>(
    _: Tile.Type, _ step: BackwardArguments, _ block: KeyBlock, _ weights: UnsafePointer<Float>,
    _ rows: UnsafePointer<Float>, _ column: Int, into target: UnsafeMutablePointer<Float>
  ) {
    typealias Columns = Tile.Columns
    var key = block.first
    keyRows(Tile.self, step, block, weights, rows, column, into: target, &key)
    keyRows(FourRows<Columns>.self, step, block, weights, rows, column, into: target, &key)
    keyRows(TwoRows<Columns>.self, step, block, weights, rows, column, into: target, &key)
    keyRows(OneRow<Columns>.self, step, block, weights, rows, column, into: target, &key)
  }

  @_alwaysEmitIntoClient @inline(__always)
  package static func keyRows<Tile: RegisterTile>(
    _: Tile.Type, _ step: BackwardArguments, _ block: KeyBlock, _ weights: UnsafePointer<Float>,
    _ rows: UnsafePointer<Float>, _ column: Int, into target: UnsafeMutablePointer<Float>,
    _ key: inout Int
  ) {
    let padded = step.layout.paddedDimension
    while key &+ Tile.rows <= block.end {
      let first = step.firstRow(seeing: key)
      let common = step.firstRow(seeing: key &+ Tile.rows &- 1)
      if first < step.rowCount {
        let weight = weights + (key &- block.first)
        var tile = Tile(repeating: -0.0)
        if first < common {
          var k = 0
          while k < Tile.rows {
            let start = step.firstRow(seeing: key &+ k)
            var sum = OneRow<Tile.Columns>(repeating: -0.0)
            multiply(
              Self.self, into: &sum, left: weight + start &* 64 + k, leftStride: 0, leftStep: 64,
              right: rows + start &* padded + column, rightStride: padded, count: common &- start)
            sum.store(to: step.pendingSums + k &* 32, stride: 32)
            k &+= 1
          }
          tile = Tile(loading: step.pendingSums, stride: 32)
        }
        multiply(
          Self.self, into: &tile, left: weight + common &* 64, leftStride: 1, leftStep: 64,
          right: rows + common &* padded + column, rightStride: padded,
          count: step.rowCount &- common)
        let gradients = target + key &* padded + column
        tile.add(gradients, stride: padded)
        tile.store(to: gradients, stride: padded)
      }
      key &+= Tile.rows
    }
  }

  /// dQ [rows][d] += dS [rows][keys] K [keys][d] over the keys of a block. A row takes exactly the keys
  /// that it sees, as in `valueColumns`.
  @_alwaysEmitIntoClient @inline(__always)
  package static func addQueryGradients<Tile: RegisterTile>(
    _: Tile.Type, _ step: BackwardArguments, _ block: KeyBlock
  ) {
    let padded = step.layout.paddedDimension
    var column = 0
    while column &+ Tile.Columns.width <= padded {
      queryColumns(Tile.self, step, block, column)
      column &+= Tile.Columns.width
    }
    if column < padded { queryColumns(Tile.Narrow.self, step, block, column) }
  }

  @_alwaysEmitIntoClient @inline(__always)
  package static func queryColumns<Tile: RegisterTile>(
    _: Tile.Type, _ step: BackwardArguments, _ block: KeyBlock, _ column: Int
  ) {
    var row = 0
    queryRows(Tile.self, step, block, column, &row)
    queryRows(FourRows<Tile.Columns>.self, step, block, column, &row)
    queryRows(TwoRows<Tile.Columns>.self, step, block, column, &row)
    queryRows(OneRow<Tile.Columns>.self, step, block, column, &row)
  }

  @_alwaysEmitIntoClient @inline(__always)
  package static func queryRows<Tile: RegisterTile>(
    _: Tile.Type, _ step: BackwardArguments, _ block: KeyBlock, _ column: Int, _ row: inout Int
  ) {
    let padded = step.layout.paddedDimension
    while row &+ Tile.rows <= step.rowCount {
      let common = step.visibleKeys(row: row, from: block.first, to: block.end)
      let most = step.visibleKeys(row: row &+ Tile.rows &- 1, from: block.first, to: block.end)
      if most > 0 {
        let k = step.keyColumn(column, key: block.first)
        let slopes = UnsafePointer(step.weightGradients) + row &* 64
        var tile = Tile(repeating: -0.0)
        multiply(
          Self.self, into: &tile, left: slopes, leftStride: 64, right: k.start,
          rightStride: k.stride, count: common)
        if common < most {
          tile.store(to: step.pendingSums, stride: 32)
          var r = 0
          while r < Tile.rows {
            let visible = step.visibleKeys(row: row &+ r, from: block.first, to: block.end)
            var sum = OneRow<Tile.Columns>(loading: step.pendingSums + r &* 32, stride: 32)
            multiply(
              Self.self, into: &sum, left: slopes + r &* 64 + common, leftStride: 0,
              right: k.start + common &* k.stride, rightStride: k.stride,
              count: visible &- common)
            sum.store(to: step.pendingSums + r &* 32, stride: 32)
            r &+= 1
          }
          tile = Tile(loading: step.pendingSums, stride: 32)
        }
        let gradients = step.queryGradients + row &* padded + column
        tile.add(gradients, stride: padded)
        tile.store(to: gradients, stride: padded)
      }
      row &+= Tile.rows
    }
  }
}
