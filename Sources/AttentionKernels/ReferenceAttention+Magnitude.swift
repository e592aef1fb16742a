internal import Glibc

extension ReferenceAttention {
  /// Mean magnitude of the logits that a row sees, by their weights; 0 where there is no finite one. In
  /// natural units.
  ///
  /// A logit's magnitude is |scale| sum |q_k k_k|, times the softcap's derivative, plus |bias|: a plain
  /// logit is never larger, and much smaller where products cancel. Logits that err by as much as u times
  /// their magnitudes move LSE by at most u times the mean, since LSE's derivatives are the weights.
  func magnitude(query: [Double], sight: Sight, logSumExp: Double) -> Double {
    guard logSumExp.isFinite else { return 0 }
    return sight.keys.reduce(0) { mean, key in
      var (product, size) = (0.0, 0.0)
      for k in 0..<headDimension {
        let term = query[k] * keys[key * headDimension + k]
        product += term
        size += abs(term)
      }
      let distance = sight.position - key
      let logit = shape.logit(
        product * scale, distance: distance, tangent: { Glibc.tanh($0) })
      let bias = Double(shape.slope) * Double(distance)
      let magnitude = logit.slope * abs(scale) * size + abs(bias)
      let share = Glibc.exp(logit.value - logSumExp) * magnitude
      return share.isFinite ? mean + share : mean
    }
  }
}
