// Out of line on purpose: the standard library's select is sixteen scalar ones, which the optimiser
// joins to one instruction in a small function but not inside the whole fold, at half
// the speed.
extension CPULevel {
  /// m' = max(m, factor * row maximum of the visible scores). Masks the scores of the last vector
  /// that the row does not see with -infinity; vectors beyond that one are never read.
  ///
  /// NaN scores don't take part: they reach l and O through `exponentiateRow`. A zero is always +0,
  /// so the result doesn't depend on the order of comparisons.
  @_alwaysEmitIntoClient @inline(never)
  package static func rowMaximum(
    _ scores: UnsafeMutablePointer<Float>, visible: Int, factor: Float, running: Float
  ) -> Float {
    var top = Lanes(repeating: -.infinity)
    let whole = visible & ~15
    var key = 0
    while key < whole {
      top = laneWiseMaximum(top, loadLanes(scores + key))
      key &+= 16
    }
    if whole < visible {
      let masked = keepingLanes(
        loadLanes(scores + whole), first: visible &- whole, filler: -.infinity)
      storeLanes(masked, to: scores + whole)
      top = laneWiseMaximum(top, masked)
    }
    let scaled = laneMaximum(top) * factor + 0
    return scaled > running ? scaled : running
  }

  /// P = 2^(factor * S - m') in place over the vectors that the row sees; returns the row sum of P.
  ///
  /// Product and difference are rounded apart in every class, so that the difference is never above
  /// 0, however large the logits. A row without any logit above -infinity has m' = -infinity: it
  /// subtracts 0, so that P = 0.
  @_alwaysEmitIntoClient @inline(never)
  package static func exponentiateRow(
    _ scores: UnsafeMutablePointer<Float>, visible: Int, factor: Float, maximum: Float
  ) -> Float {
    let shift = Lanes(repeating: maximum == -.infinity ? 0 : maximum)
    let factors = Lanes(repeating: factor)
    var sums = Lanes(repeating: 0)
    var key = 0
    while key < visible {
      let weights = exp2Lanes(Self.self, loadLanes(scores + key) * factors - shift)
      storeLanes(weights, to: scores + key)
      sums += weights
      key &+= 16
    }
    return laneSum(sums)
  }
}
