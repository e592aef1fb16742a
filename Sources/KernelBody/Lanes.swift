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
/// fingerprint.
@_alwaysEmitIntoClient @inline(__always)
package func laneSum(_ lanes: Lanes) -> Float {
  let eight = lanes.lowHalf + lanes.highHalf
  let four = eight.lowHalf + eight.highHalf
  let two = four.lowHalf + four.highHalf
  return two[0] + two[1]
}

/// Maximum of the lanes, by halves. Lanes hold no NaN: `laneWiseMaximum` drops them.
@_alwaysEmitIntoClient @inline(__always)
package func laneMaximum(_ lanes: Lanes) -> Float {
  let eight = lanes.lowHalf.replacing(with: lanes.highHalf, where: lanes.highHalf .> lanes.lowHalf)
  let four = eight.lowHalf.replacing(with: eight.highHalf, where: eight.highHalf .> eight.lowHalf)
  let two = four.lowHalf.replacing(with: four.highHalf, where: four.highHalf .> four.lowHalf)
  return two[1] > two[0] ? two[1] : two[0]
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
