/// ln x in Double, within one unit in the last place; stdlib only, so the same bits on every
/// machine.
///
/// Method of fdlibm's e_log.c (Sun Microsystems 1993): x = 2^k (1 + f) with 1 + f in
/// [sqrt(1/2), sqrt(2)), s = f / (2 + f), ln(1 + f) as an odd series in s. 0 gives -infinity, a
/// negative x or NaN gives NaN.
@_alwaysEmitIntoClient @inline(__always)
package func naturalLogarithm(_ x: Double) -> Double {
  if !(x > 0) { return x == 0 ? -.infinity : .nan }
  if x == .infinity { return x }
  // Subnormal numbers are lifted into the normal range first.
  let lifted = x < 0x1p-1022 ? x * 0x1p54 : x
  let bits = lifted.bitPattern
  var exponent = Int(truncatingIfNeeded: bits &>> 52) &- 1023 &- (x < 0x1p-1022 ? 54 : 0)
  var significand = Double(bitPattern: bits & 0x000F_FFFF_FFFF_FFFF | 0x3FF0_0000_0000_0000)
  if significand > 1.414_213_562_373_095_1 {
    significand *= 0.5
    exponent &+= 1
  }
  let f = significand - 1
  let s = f / (2 + f)
  let z = s * s
  var series = 1.479819860511658591e-01
  series = 1.531383769920937332e-01 + z * series
  series = 1.818357216161805012e-01 + z * series
  series = 2.222219843214978396e-01 + z * series
  series = 2.857142874366239149e-01 + z * series
  series = 3.999999999940941908e-01 + z * series
  series = 6.666666666666735130e-01 + z * series
  let half = 0.5 * f * f
  let k = Double(exponent)
  // ln 2 in two parts: k times the high one is exact.
  let low = s * (half + z * series) + k * 1.90821492927058770002e-10
  return k * 6.93147180369123816490e-01 - ((half - low) - f)
}

/// e^x in Double, relative error below 1e-15; stdlib only, so the same bits on every machine.
///
/// Method: x = k ln 2 + r with |r| <= ln(2) / 2, Taylor series of degree 13 in r. Below -746 the
/// result is 0, above 710 infinity; NaN gives NaN.
@_alwaysEmitIntoClient @inline(__always)
package func naturalExponential(_ x: Double) -> Double {
  if x < -746 { return 0 }
  if x > 710 { return .infinity }
  if x != x { return x }
  let k = (x * 1.442_695_040_888_963_4).rounded(.toNearestOrEven)
  let r = (x - k * 6.93147180369123816490e-01) - k * 1.90821492927058770002e-10
  var series = 1.0 / 6_227_020_800
  series = 1.0 / 479_001_600 + r * series
  series = 1.0 / 39_916_800 + r * series
  series = 1.0 / 3_628_800 + r * series
  series = 1.0 / 362_880 + r * series
  series = 1.0 / 40_320 + r * series
  series = 1.0 / 5_040 + r * series
  series = 1.0 / 720 + r * series
  series = 1.0 / 120 + r * series
  series = 1.0 / 24 + r * series
  series = 1.0 / 6 + r * series
  series = 0.5 + r * series
  let value = 1 + (r + r * r * series)
  // 2^k in two steps, since 2^-1074 and 2^1024 are not both the product of one normal number.
  let half = Int(k) / 2
  let first = Double(bitPattern: UInt64(truncatingIfNeeded: half &+ 1023) &<< 52)
  let second = Double(bitPattern: UInt64(truncatingIfNeeded: Int(k) &- half &+ 1023) &<< 52)
  return value * first * second
}
