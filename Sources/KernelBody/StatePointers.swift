/// Pointers to the running state of consecutive query rows: what a checkpoint holds.
///
/// Initially O~ = 0, m = -infinity, l = 0. m is a maximum of logits times log2(e).
@usableFromInline
package struct StatePointers {
  /// O~ [rows][paddedDimension], un-normalised, 64-byte aligned.
  @usableFromInline package let accumulator: UnsafeMutablePointer<Float>
  /// m [rows], running maximum in the base-2 domain.
  @usableFromInline package let maximum: UnsafeMutablePointer<Float>
  /// l [rows], running denominator.
  @usableFromInline package let sum: UnsafeMutablePointer<Float>

  @_alwaysEmitIntoClient @inline(__always)
  package init(
    accumulator: UnsafeMutablePointer<Float>, maximum: UnsafeMutablePointer<Float>,
    sum: UnsafeMutablePointer<Float>
  ) {
    self.accumulator = accumulator
    self.maximum = maximum
    self.sum = sum
  }
}
