extension CPULevel {
  /// Packs `rowCount` query rows [rowCount][d] of `type` into words [rowCount][rowWords], times the power
  /// of two of `scale`. `source` needs no alignment.
  @_alwaysEmitIntoClient @inline(__always)
  package static func packQueryRows(
    _ source: UnsafeRawPointer, _ type: ElementType, rowCount: Int, scale: Double,
    layout: PackedLayout, into target: UnsafeMutablePointer<Float>
  ) {
    let (d, words) = (layout.headDimension, layout.rowWords)
    let factor = LogitScale(scale).queryFactor
    withUnsafeTemporaryAllocation(byteCount: layout.wholeWordFloats &* 4, alignment: 64) { bytes in
      guard let base = bytes.baseAddress else { return }
      let elements = base.assumingMemoryBound(to: Float.self)
      var row = 0
      while row < rowCount {
        widenRow(
          source + row &* d &* type.byteCount, type, count: d, into: elements,
          paddedCount: layout.wholeWordFloats)
        var k = 0
        while k < d {
          elements[k] = Float(Double(elements[k]) * factor)
          k &+= 1
        }
        if layout.operands == .bfloat16 { pairElements(elements, from: 0, to: d) }
        (target + row &* words).update(from: elements, count: words)
        row &+= 1
      }
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

  /// V rows [keyCount][d] to panels [ceil(paddedDimension / 64)][keyWords][up to 64].
  @_alwaysEmitIntoClient @inline(__always)
  package static func packValuePanels(
    _ source: UnsafeRawPointer, _ type: ElementType, keyCount: Int, layout: PackedLayout,
    into target: UnsafeMutablePointer<Float>
  ) {
    let d = layout.headDimension
    let words = layout.keyWords(keyCount)
    var column = 0
    while column < d {
      let width = layout.valuePanelWidth(column: column)
      let count = d &- column < width ? d &- column : width
      let panel = target + column &* words
      let rows = source + column &* type.byteCount
      var key = 0
      while key < keyCount {
        let row = panel + (key &>> layout.pairing) &* width
        if layout.operands == .float32 {
          widenRow(
            rows + key &* d &* type.byteCount, type, count: count, into: row, paddedCount: width)
        } else {
          packValuePair(
            rows + key &* d &* type.byteCount, type, stride: d, count: count,
            isLast: key &+ 1 == keyCount, into: row, width: width)
        }
        key &+= 1 &+ layout.pairing
      }
      column &+= 64
    }
  }

  /// `count` columns of two rows `stride` elements apart to `width` words; where the first is the last
  /// row, with zeros beside it.
  @_alwaysEmitIntoClient @inline(__always)
  package static func packValuePair(
    _ source: UnsafeRawPointer, _ type: ElementType, stride: Int, count: Int, isLast: Bool,
    into target: UnsafeMutablePointer<Float>, width: Int
  ) {
    withUnsafeTemporaryAllocation(byteCount: 128 &* 4, alignment: 64) { bytes in
      guard let base = bytes.baseAddress else { return }
      let low = base.assumingMemoryBound(to: Float.self)
      let high = low + 64
      widenRow(source, type, count: count, into: low, paddedCount: width)
      widenRow(
        source + (isLast ? 0 : stride &* type.byteCount), type, count: isLast ? 0 : count,
        into: high, paddedCount: width)
      var column = 0
      while column < width {
        storeLanes(
          bfloat16Words(low: loadLanes(low + column), high: loadLanes(high + column)),
          to: target + column)
        column &+= 16
      }
    }
  }

  /// K rows [keyCount][d] to panels [ceil(keyCount / 64)][rowWords][64], sixteen keys at a time.
  @_alwaysEmitIntoClient @inline(__always)
  package static func packKeyPanels(
    _ source: UnsafeRawPointer, _ type: ElementType, keyCount: Int, layout: PackedLayout,
    into target: UnsafeMutablePointer<Float>
  ) {
    let (d, words) = (layout.headDimension, layout.rowWords)
    let stride = layout.wholeWordFloats
    let rowBytes = d &* type.byteCount
    let end = (keyCount &+ 63) & ~63
    // Sixteen widened rows.
    withUnsafeTemporaryAllocation(byteCount: 16 &* stride &* 4, alignment: 64) { bytes in
      guard let base = bytes.baseAddress else { return }
      let rows = base.assumingMemoryBound(to: Float.self)
      var key = 0
      while key < end {
        var lane = 0
        while lane < 16 {
          let present = key &+ lane < keyCount
          widenRow(
            source + (present ? (key &+ lane) &* rowBytes : 0), type, count: present ? d : 0,
            into: rows + lane &* stride, paddedCount: stride)
          if layout.operands == .bfloat16 { pairElements(rows + lane &* stride, from: 0, to: d) }
          lane &+= 1
        }
        var word = 0
        while word < words {
          var square = Square(rows + word, stride: stride)
          square.transpose()
          square.store(
            to: target + (key & ~63) &* words + word &* 64 + (key & 63), stride: 64,
            count: words &- word < 16 ? words &- word : 16)
          word &+= 16
        }
        key &+= 16
      }
    }
  }
}
