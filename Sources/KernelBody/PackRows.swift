extension CPULevel {
  /// Packs `rowCount` query rows [rowCount][d] of `type` into float32 rows, times the power of two
  /// of `scale`. `source` needs no alignment.
  @_alwaysEmitIntoClient @inline(__always)
  package static func packQueryRows(
    _ source: UnsafeRawPointer, _ type: ElementType, rowCount: Int, scale: Double,
    layout: PackedLayout, into target: UnsafeMutablePointer<Float>
  ) {
    let count = rowCount &* layout.headDimension
    let factor = LogitScale(scale).queryFactor
    widenRow(source, type, count: count, into: target, paddedCount: count)
    var index = 0
    while index < count {
      target[index] = Float(Double(target[index]) * factor)
      index &+= 1
    }
  }

  /// Packs one head of a K/V tile, rows [keyCount][d] of `type`: K as panels, then V as panels.
  @_alwaysEmitIntoClient @inline(__always)
  package static func packTileRows(
    keys: UnsafeRawPointer, values: UnsafeRawPointer, _ type: ElementType, keyCount: Int,
    layout: PackedLayout, into target: UnsafeMutablePointer<Float>
  ) {
    packKeyPanels(keys, type, keyCount: keyCount, layout: layout, into: target)
    packValuePanels(
      values, type, keyCount: keyCount, layout: layout,
      into: target + layout.keyTileFloats(keyCount: keyCount))
  }

  /// V rows [keyCount][d] to panels [ceil(paddedDimension / 64)][keyCount][up to 64].
  @_alwaysEmitIntoClient @inline(__always)
  package static func packValuePanels(
    _ source: UnsafeRawPointer, _ type: ElementType, keyCount: Int, layout: PackedLayout,
    into target: UnsafeMutablePointer<Float>
  ) {
    let d = layout.headDimension
    var column = 0
    while column < d {
      let width = layout.valuePanelWidth(column: column)
      let count = d &- column < width ? d &- column : width
      var key = 0
      while key < keyCount {
        widenRow(
          source + (key &* d &+ column) &* type.byteCount, type, count: count,
          into: target + column &* keyCount + key &* width, paddedCount: width)
        key &+= 1
      }
      column &+= 64
    }
  }

  /// K rows [keyCount][d] to panels [ceil(keyCount / 64)][d][64], sixteen keys at a time.
  @_alwaysEmitIntoClient @inline(__always)
  package static func packKeyPanels(
    _ source: UnsafeRawPointer, _ type: ElementType, keyCount: Int, layout: PackedLayout,
    into target: UnsafeMutablePointer<Float>
  ) {
    let d = layout.headDimension
    let padded = layout.paddedDimension
    let rowBytes = d &* type.byteCount
    let end = (keyCount &+ 63) & ~63
    // Sixteen widened rows [16][paddedDimension], then two squares [16][16] for the transposition.
    withUnsafeTemporaryAllocation(byteCount: (16 &* padded &+ 512) &* 4, alignment: 64) { bytes in
      guard let base = bytes.baseAddress else { return }
      let rows = base.assumingMemoryBound(to: Float.self)
      let squares = rows + 16 &* padded
      var key = 0
      while key < end {
        var lane = 0
        while lane < 16 {
          let present = key &+ lane < keyCount
          widenRow(
            source + (present ? (key &+ lane) &* rowBytes : 0), type, count: present ? d : 0,
            into: rows + lane &* padded, paddedCount: padded)
          lane &+= 1
        }
        var k = 0
        while k < d {
          transposeSquare(
            rows + k, stride: padded, squares,
            into: target + (key & ~63) &* d + k &* 64 + (key & 63),
            stride: 64, rowCount: d &- k < 16 ? d &- k : 16)
          k &+= 16
        }
        key &+= 16
      }
    }
  }

  /// Transposes a square [16][16] of rows `sourceStride` floats apart; writes its first `rowCount`
  /// transposed rows. `work` holds two squares.
  ///
  /// Four perfect shuffles: interleaving rows i and i + 8 turns the index bits of (row, column) by
  /// one place, so four of them swap row and column.
  @_alwaysEmitIntoClient @inline(__always)
  package static func transposeSquare(
    _ source: UnsafePointer<Float>, stride sourceStride: Int, _ work: UnsafeMutablePointer<Float>,
    into target: UnsafeMutablePointer<Float>, stride targetStride: Int, rowCount: Int
  ) {
    let other = work + 256
    interleaveRows(source, sourceStride, into: work)
    interleaveRows(work, 16, into: other)
    interleaveRows(other, 16, into: work)
    interleaveRows(work, 16, into: other)
    var row = 0
    while row < rowCount {
      storeLanes(loadLanes(other + row &* 16), to: target + row &* targetStride)
      row &+= 1
    }
  }

  @_alwaysEmitIntoClient @inline(__always)
  package static func interleaveRows(
    _ source: UnsafePointer<Float>, _ stride: Int, into target: UnsafeMutablePointer<Float>
  ) {
    var row = 0
    while row < 8 {
      var both = SIMD32<Float>(repeating: 0)
      both.evenHalf = loadLanes(source + row &* stride)
      both.oddHalf = loadLanes(source + (row &+ 8) &* stride)
      storeLanes(both.lowHalf, to: target + row &* 32)
      storeLanes(both.highHalf, to: target + row &* 32 + 16)
      row &+= 1
    }
  }
}
