/// `Level`, with multiply-adds of bfloat16 pairs in its products: sum + high * high + low * low, lane by
/// lane. A product of two bfloat16 numbers is exact in float32; the sum is rounded to float32 after each,
/// the higher elements first, as the CPU's bfloat16 dot product does it (VDPBF16PS), but without its
/// flushing of subnormal numbers. So the products have the same bits on every level, FMA or not.
@usableFromInline
package enum BFloat16Pairs<Level: CPULevel>: CPULevel {
  @_alwaysEmitIntoClient @inline(__always)
  package static func multiplyAdd(_ sum: Lanes, _ left: Lanes, _ right: Lanes) -> Lanes {
    let high = Level.multiplyAdd(sum, higherElements(left), higherElements(right))
    return Level.multiplyAdd(high, lowerElements(left), lowerElements(right))
  }

  @_alwaysEmitIntoClient @inline(__always)
  package static func multiplyAdd(_ sum: Float, _ left: Float, _ right: Float) -> Float {
    Level.multiplyAdd(sum, left, right)
  }
}

@_alwaysEmitIntoClient @inline(__always)
package func higherElements(_ words: Lanes) -> Lanes {
  unsafeBitCast(
    unsafeBitCast(words, to: SIMD16<UInt32>.self) & SIMD16(repeating: 0xFFFF_0000), to: Lanes.self)
}

@_alwaysEmitIntoClient @inline(__always)
package func lowerElements(_ words: Lanes) -> Lanes {
  unsafeBitCast(
    unsafeBitCast(words, to: SIMD16<UInt32>.self) &<< SIMD16(repeating: 16), to: Lanes.self)
}

extension CPULevel {
  /// Words of `low` and `high`, rounded to bfloat16, to the even neighbour in a tie. Every NaN is 0x7FC0.
  ///
  /// Like `bfloat16Bits` a function of the level: were it left a function of its own, all levels would
  /// have it under one name (see `CPULevel`).
  @_alwaysEmitIntoClient @inline(__always)
  package static func bfloat16Words(low: Lanes, high: Lanes) -> Lanes {
    let lower = bfloat16Bits(low) &>> SIMD16(repeating: 16)
    return unsafeBitCast(lower | bfloat16Bits(high), to: Lanes.self)
  }

  /// `lanes` rounded to bfloat16, in the upper half; the lower half is zero.
  @_alwaysEmitIntoClient @inline(__always)
  package static func bfloat16Bits(_ lanes: Lanes) -> SIMD16<UInt32> {
    let bits = unsafeBitCast(lanes, to: SIMD16<UInt32>.self)
    let odd = (bits &>> SIMD16(repeating: 16)) & SIMD16(repeating: 1)
    let rounded = (bits &+ SIMD16(repeating: 0x7FFF) &+ odd) & SIMD16(repeating: 0xFFFF_0000)
    return rounded.replacing(with: SIMD16(repeating: 0x7FC0_0000), where: lanes .!= lanes)
  }

  /// Rounds P [rows][256] to bfloat16 and packs it in words [rows][128], in place, as far as rows see.
  @_alwaysEmitIntoClient @inline(__always)
  package static func pairWeights(_ weights: UnsafeMutablePointer<Float>, _ rows: RowBand) {
    var row = 0
    while row < rows.count {
      let end = rows.visibility.end(row)
      let start = rows.visibility.start(row)
      if start < end {
        pairElements(weights + row &* 256, from: start & ~31, to: end)
      }
      row &+= 1
    }
  }

  /// Floats `start ..< end` of a row become words from start / 2 on, in place: whole vectors of
  /// thirty-two; `start` is a multiple of that. Out of line for the sake of the select.
  @_alwaysEmitIntoClient @inline(never)
  package static func pairElements(
    _ floats: UnsafeMutablePointer<Float>, from start: Int, to end: Int
  ) {
    var index = start
    while index < end {
      let both = SIMD32(
        lowHalf: loadLanes(floats + index), highHalf: loadLanes(floats + index + 16))
      storeLanes(
        bfloat16Words(low: both.evenHalf, high: both.oddHalf), to: floats + index / 2)
      index &+= 32
    }
  }
}
