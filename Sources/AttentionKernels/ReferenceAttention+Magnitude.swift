extension ReferenceAttention {
  /// The magnitude of a logit whose product's terms have `size` as the sum of their absolute values, and
  /// whose softcap's derivative is `slope`. In natural units.
  ///
  /// It is |scale| sum |q_k k_k|, times the softcap's derivative, plus |bias|: a plain logit is never larger,
  /// and much smaller where products cancel. Logits that err by as much as u times their magnitudes move LSE
  /// by at most u times the mean, since LSE's derivatives are the weights.
  func magnitude(of size: Double, slope: Double, distance: Int) -> Double {
    slope * abs(scale) * size + abs(Double(shape.slope) * Double(distance))
  }
}
