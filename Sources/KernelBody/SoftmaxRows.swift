extension CPULevel {
  /// Turns S into P, updates m and l, and leaves each row's factor 2^(m - m') in scratch. What a row
  /// has once is done for all rows of the band at a time, a lane for each.
  @_alwaysEmitIntoClient @inline(__always)
  package static func softmaxBand(_ fold: FoldArguments, _ rows: RowBand) {
    let (m, l) = (fold.state.maximum + rows.first, fold.state.sum + rows.first)
    var row = 0
    while row < FoldArguments.bandRows {
      fold.running[row] = row < rows.count ? m[row] : 0
      fold.sums[row] = row < rows.count ? l[row] : 0
      row &+= 1
    }
    if !fold.shape.isPlain { shapeBand(fold, rows) }
    let factor = fold.shape.isPlain ? fold.factor : 1
    laneMaxima(fold.scratch, rows, into: fold.lanes)
    updateMaxima(fold, factor: factor)
    laneExponentials(fold.scratch, rows, factor: factor, maxima: fold.maxima, into: fold.lanes)
    updateSums(fold)
    row = 0
    while row < rows.count {
      m[row] = fold.maxima[row]
      l[row] = fold.sums[row]
      row &+= 1
    }
  }

  /// Scores become logits in base 2.
  @_alwaysEmitIntoClient @inline(__always)
  package static func shapeBand(_ fold: FoldArguments, _ rows: RowBand) {
    var row = 0
    while row < rows.count {
      shapeRow(
        fold.scratch + row &* 256, nil, from: rows.visibility.start(row),
        to: rows.visibility.end(row), factor: fold.factor, fold.shape,
        distance: fold.distance &+ rows.first &+ row)
      row &+= 1
    }
  }

  // The rest is out of line on purpose: the standard library's select is sixteen scalar ones, which
  // the optimiser joins to one instruction in a small function but not inside the whole fold, at half
  // the speed.

  /// The maxima of the scores [rows][256] that a row sees, lane by lane; -infinity where it sees none.
  /// Masks what shares a vector with them with -infinity; vectors beyond are never read.
  ///
  /// NaN scores don't take part: they reach l and O through `laneExponentials`.
  @_alwaysEmitIntoClient @inline(never)
  package static func laneMaxima(
    _ scores: UnsafeMutablePointer<Float>, _ rows: RowBand, into lanes: UnsafeMutablePointer<Float>
  ) {
    var row = 0
    while row < FoldArguments.bandRows {
      let scores = scores + row &* 256
      var top = Lanes(repeating: -.infinity)
      if row < rows.count {
        let end = rows.visibility.end(row)
        maskEdges(scores, from: rows.visibility.start(row), to: end)
        var key = rows.visibility.firstVector(row)
        while key &+ 16 < end {
          top = laneWiseMaximum(top, loadLanes(scores + key))
          top = laneWiseMaximum(top, loadLanes(scores + key + 16))
          key &+= 32
        }
        if key < end { top = laneWiseMaximum(top, loadLanes(scores + key)) }
      }
      storeLanes(top, to: lanes + row &* 16)
      row &+= 1
    }
  }

  /// -infinity for the lanes beside start ..< end in the first and the last vector.
  @_alwaysEmitIntoClient @inline(__always)
  package static func maskEdges(
    _ scores: UnsafeMutablePointer<Float>, from start: Int, to end: Int
  ) {
    if start >= end { return }
    let first = start & ~15
    let last = (end &- 1) & ~15
    if first < start {
      storeLanes(
        droppingLanes(loadLanes(scores + first), before: start &- first, filler: -.infinity),
        to: scores + first)
    }
    if last &+ 16 > end {
      storeLanes(
        keepingLanes(loadLanes(scores + last), first: end &- last, filler: -.infinity),
        to: scores + last)
    }
  }

  /// m' = max(m, factor * maximum), and the factor 2^(m - m'). A zero is always +0, so that m' doesn't
  /// depend on the order of comparisons. Where m stays, infinite or not, the factor is 2^0.
  @_alwaysEmitIntoClient @inline(never)
  package static func updateMaxima(_ fold: FoldArguments, factor: Float) {
    let maximum = Square(fold.lanes, stride: 16).rowMaxima()
    let m = loadLanes(fold.running)
    let scaled = maximum * Lanes(repeating: factor) + Lanes(repeating: 0)
    let maxima = laneWiseMaximum(m, scaled)
    storeLanes(maxima, to: fold.maxima)
    let falls = (m - maxima).replacing(with: Lanes(repeating: 0), where: m .== maxima)
    storeLanes(exp2Lanes(Self.self, falls), to: fold.factors)
  }

  /// P = 2^(factor * S - m') in place over the vectors that each row sees, and its sums lane by lane.
  ///
  /// Product and difference are rounded apart in every class, so that the difference is never above
  /// 0, however large the logits. A row without any logit above -infinity has m' = -infinity: it
  /// subtracts 0, so that P = 0.
  @_alwaysEmitIntoClient @inline(never)
  package static func laneExponentials(
    _ scores: UnsafeMutablePointer<Float>, _ rows: RowBand, factor: Float,
    maxima: UnsafePointer<Float>, into lanes: UnsafeMutablePointer<Float>
  ) {
    let factors = Lanes(repeating: factor)
    var row = 0
    while row < rows.count {
      let scores = scores + row &* 256
      let shift = Lanes(repeating: maxima[row] == -.infinity ? 0 : maxima[row])
      let end = rows.visibility.end(row)
      var sum = Lanes(repeating: 0)
      var key = rows.visibility.firstVector(row)
      // Two at a time: half the overhead of the loop.
      while key &+ 16 < end {
        sum += exponentials(scores + key, factors, shift)
        sum += exponentials(scores + key + 16, factors, shift)
        key &+= 32
      }
      if key < end { sum += exponentials(scores + key, factors, shift) }
      storeLanes(sum, to: lanes + row &* 16)
      row &+= 1
    }
  }

  /// One vector of P, in place.
  @_alwaysEmitIntoClient @inline(__always)
  package static func exponentials(
    _ scores: UnsafeMutablePointer<Float>, _ factors: Lanes, _ shift: Lanes
  ) -> Lanes {
    let weights = exp2Lanes(Self.self, loadLanes(scores) * factors - shift)
    storeLanes(weights, to: scores)
    return weights
  }

  /// l = factor * l + sum of P: of the lanes by halves, lane i + lane i + 8, then + 4, + 2, + 1. This
  /// order is part of the numerics fingerprint.
  @_alwaysEmitIntoClient @inline(never)
  package static func updateSums(_ fold: FoldArguments) {
    let sum = Square(fold.lanes, stride: 16).rowSums()
    storeLanes(
      multiplyAdd(sum, loadLanes(fold.factors), loadLanes(fold.sums)),
      to: fold.sums)
  }
}
