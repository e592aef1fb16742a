extension CPULevel {
  /// Resets the state of `rowCount` rows to "no key seen": O~ = 0, m = -infinity, l = 0.
  @_alwaysEmitIntoClient @inline(__always)
  package static func resetRows(_ state: StatePointers, rowCount: Int, layout: PackedLayout) {
    state.accumulator.update(
      repeating: 0, count: layout.accumulatorFloats(rowCount: rowCount))
    state.maximum.update(repeating: -.infinity, count: rowCount)
    state.sum.update(repeating: 0, count: rowCount)
  }

  /// O = O~ / l as rows [rowCount][d], and the natural-log LSE = m ln 2 + ln l as [rowCount],
  /// formed in Double and rounded once. Leaves the state as it is.
  ///
  /// A row that saw no key, or none with a logit above -infinity: O = 0, LSE = -infinity. Every NaN
  /// result is the one quiet NaN 0x7FC00000: payload and sign of a computed NaN depend on the order
  /// of an instruction's operands, which the compiler may swap.
  @_alwaysEmitIntoClient @inline(__always)
  package static func finishRows(
    _ state: StatePointers, rowCount: Int, layout: PackedLayout,
    output: UnsafeMutablePointer<Float>, logSumExp: UnsafeMutablePointer<Float>
  ) {
    let d = layout.headDimension
    let padded = layout.paddedDimension
    var row = 0
    while row < rowCount {
      let l = state.sum[row]
      let o = state.accumulator + row &* padded
      let target = output + row &* d
      let empty = l == 0
      var column = 0
      while column < d {
        let quotient = empty ? 0 : o[column] / l
        target[column] = quotient == quotient ? quotient : Float(bitPattern: 0x7FC0_0000)
        column &+= 1
      }
      let ln2 = 0.693_147_180_559_945_3
      let natural = Float(Double(state.maximum[row]) * ln2 + naturalLogarithm(Double(l)))
      let finished = empty ? -.infinity : natural
      logSumExp[row] = finished == finished ? finished : Float(bitPattern: 0x7FC0_0000)
      row &+= 1
    }
  }
}
