internal import Glibc

/// The definition of attention for one head, in Double, and the same computation in float32:
/// O = softmax(scale Q K^T) V and LSE = ln(sum(exp(scale Q K^T))), a row at a time, over the keys
/// 0 ..< visibleKeys. Slow and clear: what every kernel is compared with.
///
/// Keys beyond `visibleKeys` don't contribute, whatever K and V hold there. A row without any logit
/// above -infinity gives O = 0 and LSE = -infinity. NaN and infinity propagate as IEEE 754 has it.
package struct ReferenceAttention: Sendable {
  /// One row's result.
  package struct Row: Sendable, Equatable {
    /// O, [headDimension].
    package let output: [Double]
    /// LSE, natural logarithm.
    package let logSumExp: Double
    /// Largest absolute value of a finite visible logit, in natural units; 0 where there is none.
    package let largestLogit: Double
  }

  /// K rows [keys][headDimension], exactly as given to the kernel.
  package let keys: [Double]
  /// V rows [keys][headDimension].
  package let values: [Double]
  package let headDimension: Int
  package let scale: Double

  package init(keys: [Double], values: [Double], headDimension: Int, scale: Double) {
    precondition(keys.count == values.count && keys.count % headDimension == 0)
    self.keys = keys
    self.values = values
    self.headDimension = headDimension
    self.scale = scale
  }

  /// Largest absolute value of a finite element of V.
  package var largestValue: Double {
    values.reduce(0) { $1.isFinite ? max($0, abs($1)) : $0 }
  }

  /// The row of `query` [headDimension] over keys 0 ..< `visibleKeys`, in Double.
  package func row(query: [Double], visibleKeys: Int) -> Row {
    let row = softmaxRow(
      query: query, keys: keys, values: values, scale: scale, visibleKeys: visibleKeys,
      exponential: { Glibc.exp($0) }, logarithm: { Glibc.log($0) })
    return Row(
      output: row.output, logSumExp: row.logSumExp, largestLogit: row.largestLogit)
  }

  /// Rows like `row(query:visibleKeys:)` in naive float32: the yardstick of `Tolerance`.
  /// Row r takes `queries[r]` and `visibleKeys[r]`.
  package func naiveFloat32Rows(queries: [[Double]], visibleKeys: [Int]) -> [Row] {
    let narrowKeys = keys.map(Float.init)
    let narrowValues = values.map(Float.init)
    return zip(queries, visibleKeys).map { query, visible in
      let row = softmaxRow(
        query: query.map(Float.init), keys: narrowKeys, values: narrowValues,
        scale: Float(scale), visibleKeys: visible,
        exponential: { Glibc.expf($0) }, logarithm: { Glibc.logf($0) })
      return Row(
        output: row.output.map(Double.init), logSumExp: Double(row.logSumExp),
        largestLogit: Double(row.largestLogit))
    }
  }
}

/// Softmax attention of one row in the arithmetic of `Scalar`, every sum in index order.
private func softmaxRow<Scalar: BinaryFloatingPoint>(
  query: [Scalar], keys: [Scalar], values: [Scalar], scale: Scalar, visibleKeys: Int,
  exponential: (Scalar) -> Scalar, logarithm: (Scalar) -> Scalar
) -> (output: [Scalar], logSumExp: Scalar, largestLogit: Scalar) {
  let d = query.count
  var output = [Scalar](repeating: 0, count: d)
  var logits: [Scalar] = []
  for key in 0..<max(0, visibleKeys) {
    var product: Scalar = 0
    for k in 0..<d { product += query[k] * keys[key * d + k] }
    logits.append(product * scale)
  }
  let largestLogit = logits.reduce(0) { $1.isFinite ? max($0, abs($1)) : $0 }
  if logits.allSatisfy({ $0 == -.infinity }) { return (output, -.infinity, largestLogit) }
  // A NaN logit takes no part in the maximum: it makes the sum NaN, and with it the row.
  let top = logits.reduce(-.infinity) { $1 > $0 ? $1 : $0 }
  var sum: Scalar = 0
  for key in 0..<logits.count {
    let weight = exponential(logits[key] - top)
    sum += weight
    for k in 0..<d { output[k] += weight * values[key * d + k] }
  }
  for k in 0..<d { output[k] /= sum }
  return (output, top + logarithm(sum), largestLogit)
}
