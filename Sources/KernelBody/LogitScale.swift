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
  package init(_ scale: Double) {
    let whole = scale * 1.442_695_040_888_963_4
    if whole == 0 || !whole.isFinite {
      queryFactor = whole
      factor = 1
      return
    }
    let power = Double(sign: whole.sign, exponent: whole.exponent, significand: 1)
    queryFactor = power
    // Rounding may reach 2, which does no harm.
    factor = Float(whole / power)
  }
}
