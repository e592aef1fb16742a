/// How far a head's result may be from the Double reference.
///
/// FlashAttention's rule with a floor of rounding: |error of O| <= 2 x the naive float32 computation's
/// largest error + (2^-23 (1 + max |logit|) + 2^-24 max magnitude) max |v|, per head; |error of LSE| <=
/// 2 x naive's largest error + 2^-22 (1 + |LSE|) + 2^-24 the row's magnitude. Never a magic number. NaN
/// and infinity must be the reference's own, but in its faint columns, where one may stand for the other.
///
/// Magnitudes are `ReferenceAttention.Row`'s: a dot product in float32 errs, whatever the order of its
/// terms, in proportion to sum |q_k k_k| (Higham, Accuracy and Stability, section 3.1), not to their sum,
/// and in a head of few logits the naive computation may be right by luck. The worst case, d x 2^-24, is
/// terms of one sign, where naive errs alike; rounding at random leaves a standard deviation of half of
/// 2^-24 where signs are random, whatever d is. So 2^-24, one rounding of the whole, is two of them
/// beyond what is allowed for naive's error and the logit's own.
package struct Tolerance: Sendable {
  private let reference: [ReferenceAttention.Row]
  /// Largest error of O that the head may have.
  package let outputError: Double
  /// Largest error of the naive LSE over the head's rows.
  package let naiveLogSumExpError: Double

  /// - Parameters:
  ///   - reference: rows of one head in Double.
  ///   - naive: the same rows in naive float32. Elements that overflow there count for nothing.
  ///   - largestValue: max |v| of the head.
  package init(
    reference: [ReferenceAttention.Row], naive: [ReferenceAttention.Row], largestValue: Double
  ) {
    precondition(reference.count == naive.count)
    var output = 0.0
    var logSumExp = 0.0
    for (exact, low) in zip(reference, naive) {
      for (x, y) in zip(exact.output, low.output) where (x - y).isFinite {
        output = max(output, abs(x - y))
      }
      let error = abs(exact.logSumExp - low.logSumExp)
      if error.isFinite { logSumExp = max(logSumExp, error) }
    }
    let largestLogit = reference.reduce(0) { max($0, $1.largestLogit) }
    let magnitude = reference.reduce(0) { max($0, $1.magnitude) }
    self.reference = reference
    outputError =
      2 * output + (0x1p-23 * (1 + largestLogit) + 0x1p-24 * magnitude) * largestValue
    naiveLogSumExpError = logSumExp
  }

  /// Why row `index` fails the rule, or nil.
  package func violation(row index: Int, output: [Float], logSumExp: Float) -> String? {
    let exact = reference[index]
    guard output.count == exact.output.count else { return "row \(index): \(output.count) columns" }
    for (column, (got, wanted)) in zip(output, exact.output).enumerated()
    where !agrees(Double(got), wanted, within: outputError) {
      let isEitherNaN = (got.isNaN && !wanted.isFinite) || (wanted.isNaN && !got.isFinite)
      if isEitherNaN, exact.faintColumns.contains(column) { continue }
      return "row \(index) column \(column): \(got), reference \(wanted) ± \(outputError)"
    }
    let bound =
      2 * naiveLogSumExpError + 0x1p-22 * (1 + abs(exact.logSumExp)) + 0x1p-24 * exact.magnitude
    if agrees(Double(logSumExp), exact.logSumExp, within: bound) { return nil }
    return "row \(index): log-sum-exp \(logSumExp), reference \(exact.logSumExp) ± \(bound)"
  }

  private func agrees(_ got: Double, _ wanted: Double, within bound: Double) -> Bool {
    if wanted.isNaN { return got.isNaN }
    if wanted.isInfinite { return got == wanted }
    return abs(got - wanted) <= bound
  }
}
