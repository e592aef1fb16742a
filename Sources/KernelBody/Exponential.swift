/// 2^x for x <= 0, lane by lane; relative error below 1.5e-7, a little over one unit in the last
/// place.
///
/// Method: x = n + f with n the nearest integer, taken from the low bits of x + 1.5 * 2^23; 2^f by
/// a polynomial of degree 6 on [-1/2, 1/2] (minimax for the relative error, with p(0) = 1, so that
/// 2^0 is exactly 1); 2^n built as a float and multiplied, so that a NaN stays a NaN.
///
/// Below -100 the result is exactly 0, for -infinity and for -1e38 alike. Beside a weight of 1 such
/// weights can't be seen in float32, but their products would be subnormal numbers, which cost 150
/// cycles each and left a third of the speed where logits spread over hundreds.
@_alwaysEmitIntoClient @inline(__always)
package func exp2Lanes<Level: CPULevel>(_: Level.Type, _ x: Lanes) -> Lanes {
  // 127, the exponent bias, is part of the constant: the low bits of `shifted` are n + 127.
  let shifter = Lanes(repeating: 12_582_912 + 127)
  let shifted = x + shifter
  let fraction = x - (shifted - shifter)
  let power = unsafeBitCast(
    unsafeBitCast(shifted, to: SIMD16<UInt32>.self) &<< SIMD16<UInt32>(repeating: 23),
    to: Lanes.self)
  var series = Lanes(repeating: 0.000_153_533_619_595_691_56)
  series = Level.multiplyAdd(Lanes(repeating: 0.001_339_887_385_256_588_5), series, fraction)
  series = Level.multiplyAdd(Lanes(repeating: 0.009_618_436_917_662_62), series, fraction)
  series = Level.multiplyAdd(Lanes(repeating: 0.055_503_323_674_201_965), series, fraction)
  series = Level.multiplyAdd(Lanes(repeating: 0.240_226_477_384_567_26), series, fraction)
  series = Level.multiplyAdd(Lanes(repeating: 0.693_147_182_464_599_6), series, fraction)
  series = Level.multiplyAdd(Lanes(repeating: 1), series, fraction)
  // A product with a mask, whatever came of x far below: one instruction less than to clamp x before.
  // A comparison with NaN is false and lets NaN through.
  let isFarBelow = Lanes(repeating: -100) .> x
  return (series * power).replacing(with: Lanes(repeating: 0), where: isFarBelow)
}
