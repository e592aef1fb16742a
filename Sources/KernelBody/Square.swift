/// A square [16][16] of floats: on AVX-512 sixteen of the thirty-two registers.
@usableFromInline
package struct Square {
  @usableFromInline package var r0, r1, r2, r3, r4, r5, r6, r7: Lanes
  @usableFromInline package var r8, r9, r10, r11, r12, r13, r14, r15: Lanes

  /// Reads sixteen rows `stride` floats apart, each aligned to 64 bytes.
  @_alwaysEmitIntoClient @inline(__always)
  package init(_ source: UnsafePointer<Float>, stride: Int) {
    (r0, r1) = (loadLanes(source), loadLanes(source + stride))
    (r2, r3) = (loadLanes(source + 2 &* stride), loadLanes(source + 3 &* stride))
    (r4, r5) = (loadLanes(source + 4 &* stride), loadLanes(source + 5 &* stride))
    (r6, r7) = (loadLanes(source + 6 &* stride), loadLanes(source + 7 &* stride))
    (r8, r9) = (loadLanes(source + 8 &* stride), loadLanes(source + 9 &* stride))
    (r10, r11) = (loadLanes(source + 10 &* stride), loadLanes(source + 11 &* stride))
    (r12, r13) = (loadLanes(source + 12 &* stride), loadLanes(source + 13 &* stride))
    (r14, r15) = (loadLanes(source + 14 &* stride), loadLanes(source + 15 &* stride))
  }

  /// Swaps rows and columns: the halves of the square beside the diagonal, then those of its quarters, and
  /// so on. Every step is an instruction or two a row, and all sixteen rows stay in registers.
  @_alwaysEmitIntoClient @inline(__always)
  package mutating func transpose() {
    (r0, r8) = Self.swappingEights(r0, r8)
    (r1, r9) = Self.swappingEights(r1, r9)
    (r2, r10) = Self.swappingEights(r2, r10)
    (r3, r11) = Self.swappingEights(r3, r11)
    (r4, r12) = Self.swappingEights(r4, r12)
    (r5, r13) = Self.swappingEights(r5, r13)
    (r6, r14) = Self.swappingEights(r6, r14)
    (r7, r15) = Self.swappingEights(r7, r15)
    (r0, r4) = Self.swappingFours(r0, r4)
    (r1, r5) = Self.swappingFours(r1, r5)
    (r2, r6) = Self.swappingFours(r2, r6)
    (r3, r7) = Self.swappingFours(r3, r7)
    (r8, r12) = Self.swappingFours(r8, r12)
    (r9, r13) = Self.swappingFours(r9, r13)
    (r10, r14) = Self.swappingFours(r10, r14)
    (r11, r15) = Self.swappingFours(r11, r15)
    (r0, r2) = Self.swappingTwos(r0, r2)
    (r1, r3) = Self.swappingTwos(r1, r3)
    (r4, r6) = Self.swappingTwos(r4, r6)
    (r5, r7) = Self.swappingTwos(r5, r7)
    (r8, r10) = Self.swappingTwos(r8, r10)
    (r9, r11) = Self.swappingTwos(r9, r11)
    (r12, r14) = Self.swappingTwos(r12, r14)
    (r13, r15) = Self.swappingTwos(r13, r15)
    (r0, r1) = Self.swappingOnes(r0, r1)
    (r2, r3) = Self.swappingOnes(r2, r3)
    (r4, r5) = Self.swappingOnes(r4, r5)
    (r6, r7) = Self.swappingOnes(r6, r7)
    (r8, r9) = Self.swappingOnes(r8, r9)
    (r10, r11) = Self.swappingOnes(r10, r11)
    (r12, r13) = Self.swappingOnes(r12, r13)
    (r14, r15) = Self.swappingOnes(r14, r15)
  }

  /// The last eight lanes of `upper` exchanged with the first eight of `lower`.
  @_alwaysEmitIntoClient @inline(__always)
  static func swappingEights(_ upper: Lanes, _ lower: Lanes) -> (Lanes, Lanes) {
    (
      Lanes(lowHalf: upper.lowHalf, highHalf: lower.lowHalf),
      Lanes(lowHalf: upper.highHalf, highHalf: lower.highHalf)
    )
  }

  /// In every eight lanes, the last four of `upper` exchanged with the first four of `lower`.
  @_alwaysEmitIntoClient @inline(__always)
  static func swappingFours(_ upper: Lanes, _ lower: Lanes) -> (Lanes, Lanes) {
    let (u0, u1) = (upper.lowHalf, upper.highHalf)
    let (l0, l1) = (lower.lowHalf, lower.highHalf)
    return (
      Lanes(
        lowHalf: SIMD8(lowHalf: u0.lowHalf, highHalf: l0.lowHalf),
        highHalf: SIMD8(lowHalf: u1.lowHalf, highHalf: l1.lowHalf)),
      Lanes(
        lowHalf: SIMD8(lowHalf: u0.highHalf, highHalf: l0.highHalf),
        highHalf: SIMD8(lowHalf: u1.highHalf, highHalf: l1.highHalf))
    )
  }

  /// In every four lanes, the last two of `upper` exchanged with the first two of `lower`.
  @_alwaysEmitIntoClient @inline(__always)
  static func swappingTwos(_ upper: Lanes, _ lower: Lanes) -> (Lanes, Lanes) {
    var (u, l) = (
      unsafeBitCast(upper, to: SIMD8<Double>.self), unsafeBitCast(lower, to: SIMD8<Double>.self)
    )
    (u.oddHalf, l.evenHalf) = (l.evenHalf, u.oddHalf)
    return (unsafeBitCast(u, to: Lanes.self), unsafeBitCast(l, to: Lanes.self))
  }

  /// The odd lanes of `upper` exchanged with the even ones of `lower`.
  @_alwaysEmitIntoClient @inline(__always)
  static func swappingOnes(_ upper: Lanes, _ lower: Lanes) -> (Lanes, Lanes) {
    var (u, l) = (upper, lower)
    (u.oddHalf, l.evenHalf) = (l.evenHalf, u.oddHalf)
    return (u, l)
  }

  /// Sums of the rows: element i with i + 8, then + 4, + 2, + 1. Written out, like `rowMaxima`: a closure
  /// could become a function that CPU levels share (see `CPULevel`).
  @_alwaysEmitIntoClient @inline(__always)
  package func rowSums() -> Lanes {
    var c = self
    c.transpose()
    let (s0, s1, s2, s3) = (c.r0 + c.r8, c.r1 + c.r9, c.r2 + c.r10, c.r3 + c.r11)
    let (s4, s5, s6, s7) = (c.r4 + c.r12, c.r5 + c.r13, c.r6 + c.r14, c.r7 + c.r15)
    return ((s0 + s4) + (s2 + s6)) + ((s1 + s5) + (s3 + s7))
  }

  /// Maxima of the rows, in the same order.
  @_alwaysEmitIntoClient @inline(__always)
  package func rowMaxima() -> Lanes {
    var c = self
    c.transpose()
    let s0 = laneWiseMaximum(laneWiseMaximum(c.r0, c.r8), laneWiseMaximum(c.r4, c.r12))
    let s1 = laneWiseMaximum(laneWiseMaximum(c.r1, c.r9), laneWiseMaximum(c.r5, c.r13))
    let s2 = laneWiseMaximum(laneWiseMaximum(c.r2, c.r10), laneWiseMaximum(c.r6, c.r14))
    let s3 = laneWiseMaximum(laneWiseMaximum(c.r3, c.r11), laneWiseMaximum(c.r7, c.r15))
    return laneWiseMaximum(laneWiseMaximum(s0, s2), laneWiseMaximum(s1, s3))
  }

  /// Writes the first `count` rows `stride` floats apart, each aligned to 64 bytes.
  @_alwaysEmitIntoClient @inline(__always)
  package func store(to target: UnsafeMutablePointer<Float>, stride: Int, count: Int) {
    if count == 16 {
      storeEight((r0, r1, r2, r3, r4, r5, r6, r7), 8, to: target, stride: stride)
      storeEight(
        (r8, r9, r10, r11, r12, r13, r14, r15), 8, to: target + 8 &* stride, stride: stride)
    } else {
      storeEight((r0, r1, r2, r3, r4, r5, r6, r7), count, to: target, stride: stride)
      storeEight(
        (r8, r9, r10, r11, r12, r13, r14, r15), count &- 8, to: target + 8 &* stride,
        stride: stride)
    }
  }

  @_alwaysEmitIntoClient @inline(__always)
  func storeEight(
    _ rows: (Lanes, Lanes, Lanes, Lanes, Lanes, Lanes, Lanes, Lanes), _ count: Int,
    to target: UnsafeMutablePointer<Float>, stride: Int
  ) {
    if count > 0 { storeLanes(rows.0, to: target) }
    if count > 1 { storeLanes(rows.1, to: target + stride) }
    if count > 2 { storeLanes(rows.2, to: target + 2 &* stride) }
    if count > 3 { storeLanes(rows.3, to: target + 3 &* stride) }
    if count > 4 { storeLanes(rows.4, to: target + 4 &* stride) }
    if count > 5 { storeLanes(rows.5, to: target + 5 &* stride) }
    if count > 6 { storeLanes(rows.6, to: target + 6 &* stride) }
    if count > 7 { storeLanes(rows.7, to: target + 7 &* stride) }
  }
}
