/// Sixteen float32 lanes: one AVX-512 register, two AVX2 registers, four SSE or NEON registers.
///
/// Every CPU level computes with these sixteen logical lanes, so lane sums have one order
/// everywhere.
@usableFromInline package typealias Lanes = SIMD16<Float>

/// Reads sixteen floats; `pointer` is aligned to 64 bytes.
@_alwaysEmitIntoClient @inline(__always)
package func loadLanes(_ pointer: UnsafePointer<Float>) -> Lanes {
  UnsafeRawPointer(pointer).load(as: Lanes.self)
}

/// Writes sixteen floats; `pointer` is aligned to 64 bytes.
@_alwaysEmitIntoClient @inline(__always)
package func storeLanes(_ lanes: Lanes, to pointer: UnsafeMutablePointer<Float>) {
  UnsafeMutableRawPointer(pointer).storeBytes(of: lanes, as: Lanes.self)
}

/// Sum of the lanes, by halves: lane i + lane i+8, then +4, +2, +1.
///
/// By halves because `sum()` compiles to scalar code; this order is part of the numerics
/// fingerprint. Whole vectors to the end: halves of vectors compile to twice the instructions.
@_alwaysEmitIntoClient @inline(__always)
package func laneSum(_ lanes: Lanes) -> Float {
  let eight = lanes + exchangingEights(lanes)
  let four = eight + exchangingFours(eight)
  let two = four + exchangingTwos(four)
  return two[0] + two[1]
}

/// Lanes with the halves of sixteen exchanged.
@_alwaysEmitIntoClient @inline(__always)
package func exchangingEights(_ lanes: Lanes) -> Lanes {
  Lanes(lowHalf: lanes.highHalf, highHalf: lanes.lowHalf)
}

/// Lanes with the halves of every eight exchanged.
@_alwaysEmitIntoClient @inline(__always)
package func exchangingFours(_ lanes: Lanes) -> Lanes {
  let (low, high) = (lanes.lowHalf, lanes.highHalf)
  return Lanes(
    lowHalf: SIMD8(lowHalf: low.highHalf, highHalf: low.lowHalf),
    highHalf: SIMD8(lowHalf: high.highHalf, highHalf: high.lowHalf))
}

/// Lanes with the halves of every four of the first eight exchanged; of the others any.
@_alwaysEmitIntoClient @inline(__always)
package func exchangingTwos(_ lanes: Lanes) -> Lanes {
  let (first, second) = (lanes.lowHalf.lowHalf, lanes.lowHalf.highHalf)
  let eight = SIMD8(
    lowHalf: SIMD4(lowHalf: first.highHalf, highHalf: first.lowHalf),
    highHalf: SIMD4(lowHalf: second.highHalf, highHalf: second.lowHalf))
  return Lanes(lowHalf: eight, highHalf: eight)
}

/// The greater of each pair of lanes; `kept` where `other` is NaN.
@_alwaysEmitIntoClient @inline(__always)
package func laneWiseMaximum(_ kept: Lanes, _ other: Lanes) -> Lanes {
  kept.replacing(with: other, where: other .> kept)
}

/// `lanes` with `filler` in every lane from `count` on.
@_alwaysEmitIntoClient @inline(__always)
package func keepingLanes(_ lanes: Lanes, first count: Int, filler: Float) -> Lanes {
  let index = SIMD16<Int32>(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
  let limit = SIMD16<Int32>(repeating: Int32(truncatingIfNeeded: count))
  return lanes.replacing(with: Lanes(repeating: filler), where: index .>= limit)
}

/// `lanes` with `filler` in every lane before `start`.
@_alwaysEmitIntoClient @inline(__always)
package func droppingLanes(_ lanes: Lanes, before start: Int, filler: Float) -> Lanes {
  let index = SIMD16<Int32>(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
  let limit = SIMD16<Int32>(repeating: Int32(truncatingIfNeeded: start))
  return lanes.replacing(with: Lanes(repeating: filler), where: index .< limit)
}
