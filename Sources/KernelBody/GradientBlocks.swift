extension CPULevel {
  /// target [keys][d] += weights^T [keys][rows] rows [rows][d], for the keys of a block. A key takes
  /// exactly the rows that see it.
  @_alwaysEmitIntoClient @inline(__always)
  package static func addKeyGradients<Tile: RegisterTile>(
    _: Tile.Type, _ step: BackwardArguments, _ block: KeyBlock, _ weights: UnsafePointer<Float>,
    _ rows: UnsafePointer<Float>, into target: UnsafeMutablePointer<Float>
  ) {
    var column = 0
    keyColumns(Tile.self, step, block, weights, rows, &column, into: target)
    keyColumns(Tile.Narrow.self, step, block, weights, rows, &column, into: target)
    keyColumns(Tile.Narrow.Narrow.self, step, block, weights, rows, &column, into: target)
  }

  @_alwaysEmitIntoClient @inline(__always)
  package static func keyColumns<Tile: RegisterTile>(
    _: Tile.Type, _ step: BackwardArguments, _ block: KeyBlock, _ weights: UnsafePointer<Float>,
    _ rows: UnsafePointer<Float>, _ column: inout Int, into target: UnsafeMutablePointer<Float>
  ) {
    typealias Columns = Tile.Columns
    while column &+ Columns.width <= step.layout.paddedDimension {
      var key = block.visibility.floor
      keyRows(Tile.self, step, block, weights, rows, column, into: target, &key)
      keyRows(FourRows<Columns>.self, step, block, weights, rows, column, into: target, &key)
      keyRows(TwoRows<Columns>.self, step, block, weights, rows, column, into: target, &key)
      keyRows(OneRow<Columns>.self, step, block, weights, rows, column, into: target, &key)
      column &+= Columns.width
    }
  }

  @_alwaysEmitIntoClient @inline(__always)
  package static func keyRows<Tile: RegisterTile>(
    _: Tile.Type, _ step: BackwardArguments, _ block: KeyBlock, _ weights: UnsafePointer<Float>,
    _ rows: UnsafePointer<Float>, _ column: Int, into target: UnsafeMutablePointer<Float>,
    _ key: inout Int
  ) {
    let padded = step.layout.paddedDimension
    let seeing = block.visibility.transposed(rowCount: step.rowCount)
    while key &+ Tile.rows <= block.visibility.ceiling {
      let band = seeing.from(row: key)
      if band.start(0) < band.end(Tile.rows &- 1) {
        var tile = Tile(repeating: -0.0)
        multiplyBand(
          Self.self, into: &tile, band, left: weights + (key &- block.first), leftStride: 1,
          leftStep: 64,
          right: rows + column, rightStride: padded, pending: step.pendingSums)
        let gradients = target + key &* padded + column
        tile.add(gradients, stride: padded)
        tile.store(to: gradients, stride: padded)
      }
      key &+= Tile.rows
    }
  }

  /// dQ [rows][d] += dS [rows][keys] K [keys][d] over the keys of a block. A row takes exactly the keys
  /// that it sees.
  @_alwaysEmitIntoClient @inline(__always)
  package static func addQueryGradients<Tile: RegisterTile>(
    _: Tile.Type, _ step: BackwardArguments, _ block: KeyBlock
  ) {
    var column = 0
    queryColumns(Tile.self, step, block, &column)
    queryColumns(Tile.Narrow.self, step, block, &column)
    queryColumns(Tile.Narrow.Narrow.self, step, block, &column)
  }

  @_alwaysEmitIntoClient @inline(__always)
  package static func queryColumns<Tile: RegisterTile>(
    _: Tile.Type, _ step: BackwardArguments, _ block: KeyBlock, _ column: inout Int
  ) {
    while column &+ Tile.Columns.width <= step.layout.paddedDimension {
      var row = 0
      queryRows(Tile.self, step, block, column, &row)
      queryRows(FourRows<Tile.Columns>.self, step, block, column, &row)
      queryRows(TwoRows<Tile.Columns>.self, step, block, column, &row)
      queryRows(OneRow<Tile.Columns>.self, step, block, column, &row)
      column &+= Tile.Columns.width
    }
  }

  @_alwaysEmitIntoClient @inline(__always)
  package static func queryRows<Tile: RegisterTile>(
    _: Tile.Type, _ step: BackwardArguments, _ block: KeyBlock, _ column: Int, _ row: inout Int
  ) {
    let padded = step.layout.paddedDimension
    let k = step.keyColumn(column)
    while row &+ Tile.rows <= step.rowCount {
      let band = block.visibility.from(row: row)
      if band.start(0) < band.end(Tile.rows &- 1) {
        var tile = Tile(repeating: -0.0)
        multiplyBand(
          Self.self, into: &tile, band, left: step.weightGradients + row &* 64 - block.first,
          leftStride: 64,
          right: k.start, rightStride: k.stride, pending: step.pendingSums)
        let gradients = step.queryGradients + row &* padded + column
        tile.add(gradients, stride: padded)
        tile.store(to: gradients, stride: padded)
      }
      row &+= Tile.rows
    }
  }
}
