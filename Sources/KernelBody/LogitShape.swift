/// What becomes of a logit x = scale q . k before the softmax: softcap * tanh(x / softcap), where there
/// is a softcap, minus slope * |query's position - key's position|, where there is a slope (ALiBi, Press
/// et al. 2022). In natural units.
@usableFromInline
package struct LogitShape: Sendable, Equatable {
  /// Logits stay below this; 0 for no limit.
  @usableFromInline package let softcap: Float
  /// ALiBi's slope of the head; 0 for none.
  @usableFromInline package let slope: Float

  /// Logits as they are.
  @_alwaysEmitIntoClient @inline(__always)
  package static var plain: LogitShape { LogitShape() }

  /// - Precondition: `softcap` is 0 or from 1e-30 to 1e30, `slope` at most 1e30 either way: products
  ///   with them neither overflow nor vanish.
  @_alwaysEmitIntoClient @inline(__always)
  package init(softcap: Float = 0, slope: Float = 0) {
    precondition(softcap == 0 || (1e-30...1e30).contains(softcap), "softcap \(softcap)")
    precondition((-1e30...1e30).contains(slope), "slope \(slope)")
    self.softcap = softcap
    self.slope = slope
  }

  @_alwaysEmitIntoClient @inline(__always)
  package var isPlain: Bool { softcap == 0 && slope == 0 }
}

extension CPULevel {
  /// Shapes scores that a row sees, in place: S times `factor` is the logit in base 2 before, S is so
  /// after. Writes what the cap's derivative is there to `slopes`, unless nil: 1 - tanh(x / softcap)^2.
  ///
  /// - Parameters:
  ///   - from, to: the keys, an offset into `scores` and `slopes`; whole vectors are written.
  ///   - distance: the query's position minus that of key 0 of `scores`.
  @_alwaysEmitIntoClient @inline(never)
  package static func shapeRow(
    _ scores: UnsafeMutablePointer<Float>, _ slopes: UnsafeMutablePointer<Float>?,
    from start: Int, to end: Int, factor: Float, _ shape: LogitShape, distance: Int
  ) {
    let log2e = Float(LogitScale.binaryLogarithmOfE)
    let isCapped = shape.softcap > 0
    let cap = Lanes(repeating: shape.softcap * log2e)
    let share = Lanes(repeating: isCapped ? factor / (shape.softcap * log2e) : 0)
    let fall = Lanes(repeating: -shape.slope * log2e)
    let factors = Lanes(repeating: factor)
    var key = start < end ? start & ~15 : end
    while key < end {
      var logits = loadLanes(scores + key) * factors
      if isCapped {
        let tangents = hyperbolicTangent(Self.self, loadLanes(scores + key) * share)
        logits = tangents * cap
        if let slopes {
          storeLanes(Lanes(repeating: 1) - tangents * tangents, to: slopes + key)
        }
      }
      if shape.slope != 0 {
        logits = multiplyAdd(logits, absoluteLanes(distances(distance &- key)), fall)
      }
      storeLanes(logits, to: scores + key)
      key &+= 16
    }
  }

  /// first, first - 1 ... first - 15, exactly; positions are below 2^24 apart in any sequence that fits
  /// a head's buffers, and rounded beyond.
  @_alwaysEmitIntoClient @inline(__always)
  package static func distances(_ first: Int) -> Lanes {
    Lanes(repeating: Float(first))
      - Lanes(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
  }
}

@_alwaysEmitIntoClient @inline(__always)
package func absoluteLanes(_ lanes: Lanes) -> Lanes {
  unsafeBitCast(
    unsafeBitCast(lanes, to: SIMD16<UInt32>.self) & SIMD16(repeating: 0x7FFF_FFFF), to: Lanes.self)
}

/// tanh x, lane by lane; relative error below 5e-7.
///
/// Method: an odd polynomial of degree 11 (minimax for the relative error on [0, 5/8]) where |x| is
/// below 5/8, (1 - e) / (1 + e) with e = 2^(-2 log2(e) |x|) beyond. NaN stays NaN.
@_alwaysEmitIntoClient @inline(__always)
package func hyperbolicTangent<Level: CPULevel>(_: Level.Type, _ x: Lanes) -> Lanes {
  let size = absoluteLanes(x)
  let one = Lanes(repeating: 1)
  let power = exp2Lanes(Level.self, size * Lanes(repeating: -2.885_390_081_777_926_8))
  let far = (one - power) / (one + power)
  let square = size * size
  var series = Lanes(repeating: -0.005_704_99)
  series = Level.multiplyAdd(Lanes(repeating: 0.020_639_09), series, square)
  series = Level.multiplyAdd(Lanes(repeating: -0.053_739_71), series, square)
  series = Level.multiplyAdd(Lanes(repeating: 0.133_314_42), series, square)
  series = Level.multiplyAdd(Lanes(repeating: -0.333_332_82), series, square)
  let near = Level.multiplyAdd(size, size * square, series)
  let tangent = far.replacing(with: near, where: size .< Lanes(repeating: 0.625))
  let signs = unsafeBitCast(x, to: SIMD16<UInt32>.self) & SIMD16(repeating: 0x8000_0000)
  return unsafeBitCast(
    unsafeBitCast(tangent, to: SIMD16<UInt32>.self) | signs, to: Lanes.self)
}
