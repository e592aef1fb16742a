/// Merges two normalised partial results of one query row over disjoint sets of keys. For decode
/// and for approximate strategies; the exact forward folds tiles in order and never merges.
///
///     M = max(LSEa, LSEb);  wa = exp(LSEa - M);  wb = exp(LSEb - M)
///     LSE = M + ln(wa + wb);  O = (wa Oa + wb Ob) / (wa + wb)
///
/// (FlashInfer's state merge, Ye et al. 2025, section 2.2, in base e.) Commutative; associative up
/// to rounding; not idempotent, so merge each part once, in ascending rank order. Computed in
/// Double, rounded once, without libm: the same bits on every machine.
package enum SoftmaxMerge {
  /// Merges (`other`, `otherLogSumExp`) into (`output`, `logSumExp`). Outputs are [headDimension],
  /// log-sum-exps natural logarithms.
  ///
  /// The empty part, LSE = -infinity, is the exact identity: the other side comes back bit for bit,
  /// and two empty parts stay empty. A NaN log-sum-exp makes the row NaN (0x7FC00000).
  package static func merge(
    into output: inout MutableSpan<Float>, _ logSumExp: inout Float,
    _ other: Span<Float>, _ otherLogSumExp: Float
  ) {
    precondition(output.count == other.count, "\(output.count) and \(other.count) columns")
    if otherLogSumExp == -.infinity { return }
    if logSumExp == -.infinity {
      for column in output.indices { output[column] = other[column] }
      logSumExp = otherLogSumExp
      return
    }
    // NaN reaches the weights whichever side of the comparison it is on.
    let a = Double(logSumExp)
    let b = Double(otherLogSumExp)
    let top = a > b ? a : b
    let weightA = naturalExponential(a - top)
    let weightB = naturalExponential(b - top)
    let sum = weightA + weightB
    for column in output.indices {
      output[column] = canonical(
        (weightA * Double(output[column]) + weightB * Double(other[column])) / sum)
    }
    logSumExp = canonical(top + naturalLogarithm(sum))
  }

  /// Merges a part that has weight and no value: a learnt logit of the head (an attention sink as in
  /// gpt-oss), which the softmax counts and the output doesn't. Once, when all keys are folded. The
  /// log-sum-exp counts it, too: a row that sees no key has O = 0 and the logit itself.
  package static func merge(
    sinkLogit: Float, into output: UnsafeMutableBufferPointer<Float>, _ logSumExp: inout Float
  ) {
    if sinkLogit == -.infinity { return }
    if logSumExp == -.infinity {
      logSumExp = canonical(Double(sinkLogit))
      if sinkLogit.isNaN { output.update(repeating: Float(bitPattern: 0x7FC0_0000)) }
      return
    }
    let (a, b) = (Double(logSumExp), Double(sinkLogit))
    let top = a > b ? a : b
    let weight = naturalExponential(a - top)
    let sum = weight + naturalExponential(b - top)
    for column in output.indices {
      output[column] = canonical(weight * Double(output[column]) / sum)
    }
    logSumExp = canonical(top + naturalLogarithm(sum))
  }

  private static func canonical(_ value: Double) -> Float {
    value.isNaN ? Float(bitPattern: 0x7FC0_0000) : Float(value)
  }
}
