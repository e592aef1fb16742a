/// scale * log2(e), split into a power of two with the sign, which goes into Q and is exact, and a
/// factor in [1, 2), which goes onto the products.
///
/// The whole factor in Q would round every element of Q: with bfloat16 inputs, whose products are
/// exact in float32, log-sum-exp would lose a digit to the naive computation. A positive factor
/// keeps the order of logits, and -infinity as it is; a scale of 0 is the power 0 and the factor 1.
@usableFromInline
package struct LogitScale: Sendable {
  @usableFromInline package let queryFactor: Double
  @usableFromInline package let factor: Float

  @_alwaysEmitIntoClient @inline(__always)
  package static var binaryLogarithmOfE: Double { 1.442_695_040_888_963_4 }

  @_alwaysEmitIntoClient @inline(__always)
  package init(_ scale: Double) {
    let whole = scale * Self.binaryLogarithmOfE
    // Sign and exponent alone: the power of two. By bits, since `exponent` is a function of the
    // standard library that would be emitted once for all levels (see `CPULevel`).
    let power = Double(bitPattern: whole.bitPattern & 0xFFF0_0000_0000_0000)
    let isNormal = power != 0 && power - power == 0
    queryFactor = isNormal ? power : whole
    // Rounding may reach 2, which does no harm.
    factor = isNormal ? Float(whole / power) : 1
  }
}
