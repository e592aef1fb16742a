internal import Glibc

/// The definition of attention for one head, in Double, and the same computation in float32:
/// O = softmax(X) V and LSE = ln(sum(exp(X))) with X = scale Q K^T, shaped, a row at a time, over the
/// keys that it sees. Slow and clear: what every kernel is compared with.
///
/// Other keys don't contribute, whatever K and V hold there. A row without any logit above -infinity
/// gives O = 0 and LSE = -infinity. A sink logit takes part in the sum of weights, also where there is no
/// other, and has no value. NaN and infinity propagate as IEEE 754 has it; whether an infinite value stays
/// one or becomes NaN under a weight next to nothing is up to the arithmetic, and `faintColumns` says where.
package struct ReferenceAttention: Sendable {
  /// One row's result.
  package struct Row: Sendable, Equatable {
    /// O, [headDimension].
    package let output: [Double]
    /// LSE, natural logarithm.
    package let logSumExp: Double
    /// Largest absolute value of a finite visible logit, in natural units; 0 where there is none.
    package let largestLogit: Double
    /// Mean magnitude of the logits, by their weights: the measure of their rounding. 0 in naive rows.
    package let magnitude: Double
    /// Columns, ascending, in which an infinite value has a weight below `faintWeight`: where a weight of
    /// 0 makes it NaN, Double, float32 and float32 tile by tile differ in which weights are 0.
    package let faintColumns: [Int]
  }

  /// Of the largest weight of a row: float32 doesn't see what is so much smaller, and kernels take what is
  /// below 2^-100 for 0. The difference is room for logits that float32 rounds.
  private static let faintWeight = 0x1p-90

  /// K rows [keys][headDimension], exactly as given to the kernel.
  package let keys: [Double]
  /// V rows [keys][headDimension].
  package let values: [Double]
  package let headDimension: Int
  package let scale: Double
  package let shape: LogitShape
  /// A learnt logit of the head; nil without one.
  package let sinkLogit: Float?
  private let hasInfiniteValue: Bool

  package init(
    keys: [Double], values: [Double], headDimension: Int, scale: Double, shape: LogitShape = .plain,
    sinkLogit: Float? = nil
  ) {
    precondition(keys.count == values.count && keys.count % headDimension == 0)
    self.keys = keys
    self.values = values
    self.headDimension = headDimension
    self.scale = scale
    self.shape = shape
    self.sinkLogit = sinkLogit
    hasInfiniteValue = values.contains { $0.isInfinite }
  }

  /// Largest absolute value of a finite element of V.
  package var largestValue: Double {
    values.reduce(0) { $1.isFinite ? max($0, abs($1)) : $0 }
  }

  /// The row of `query` [headDimension], in Double.
  package func row(query: [Double], sight: Sight) -> Row {
    let row = softmaxRow(
      query: query, keys: keys, values: values, sight: sight, sink: sinkLogit.map(Double.init),
      logit: { product, size, distance in
        let logit = shape.logit(product * scale, distance: distance, tangent: { Glibc.tanh($0) })
        return (logit.value, magnitude(of: size, slope: logit.slope, distance: distance))
      },
      exponential: { Glibc.exp($0) }, logarithm: { Glibc.log($0) })
    return Row(
      output: row.output, logSumExp: row.logSumExp, largestLogit: row.largestLogit,
      magnitude: row.logSumExp.isFinite ? row.magnitude : 0,
      faintColumns: faintColumns(row.weights, of: sight))
  }

  private func faintColumns(_ weights: [Double], of sight: Sight) -> [Int] {
    guard hasInfiniteValue else { return [] }
    var columns: Set<Int> = []
    for (key, weight) in zip(sight.keys, weights) where weight < Self.faintWeight {
      for column in 0..<headDimension where values[key * headDimension + column].isInfinite {
        columns.insert(column)
      }
    }
    return columns.sorted()
  }

  /// Rows like `row(query:sight:)` in naive float32: the yardstick of `Tolerance`.
  /// Row r takes `queries[r]` and the r-th of `sights`, which are asked for one at a time.
  package func naiveFloat32Rows(queries: [[Double]], sights: some Sequence<Sight>) -> [Row] {
    let narrowKeys = keys.map(Float.init)
    let narrowValues = values.map(Float.init)
    return zip(queries, sights).map { query, sight in
      let row = softmaxRow(
        query: query.map(Float.init), keys: narrowKeys, values: narrowValues, sight: sight,
        sink: sinkLogit,
        logit: {
          (shape.logit($0 * Float(scale), distance: $2, tangent: { Glibc.tanhf($0) }).value, 0)
        },
        exponential: { Glibc.expf($0) }, logarithm: { Glibc.logf($0) })
      return Row(
        output: row.output.map(Double.init), logSumExp: Double(row.logSumExp),
        largestLogit: Double(row.largestLogit), magnitude: 0, faintColumns: [])
    }
  }
}

extension ReferenceAttention {
  /// The same in naive bfloat16: what each operation gives is rounded to bfloat16, sums inside a product
  /// or a softmax are float32. The yardstick of `Tolerance` where operands are bfloat16.
  package func naiveBFloat16Rows(queries: [[Double]], sights: [Sight]) -> [Row] {
    let narrowKeys = keys.map { Self.rounded(Float($0)) }
    let narrowValues = values.map { Self.rounded(Float($0)) }
    return zip(queries, sights).map { query, sight in
      let row = softmaxRow(
        query: query.map { Self.rounded(Float($0)) }, keys: narrowKeys, values: narrowValues,
        sight: sight, sink: sinkLogit,
        logit: {
          let scaled = Self.rounded(Self.rounded($0) * Float(scale))
          let logit = shape.logit(scaled, distance: $2, tangent: { Glibc.tanhf($0) })
          return (Self.rounded(logit.value), 0)
        },
        exponential: { Self.rounded(Glibc.expf($0)) }, logarithm: { Glibc.logf($0) })
      return Row(
        output: row.output.map { Double(Self.rounded($0)) }, logSumExp: Double(row.logSumExp),
        largestLogit: Double(row.largestLogit), magnitude: 0, faintColumns: [])
    }
  }

  private static func rounded(_ value: Float) -> Float {
    if !value.isFinite { return value }
    let bits = value.bitPattern
    return Float(bitPattern: (bits &+ 0x7FFF &+ (bits &>> 16 & 1)) & 0xFFFF_0000)
  }
}

extension LogitShape {
  /// A logit as it goes into the softmax, and its derivative, in the arithmetic of `Scalar`.
  func logit<Scalar: BinaryFloatingPoint>(
    _ logit: Scalar, distance: Int, tangent: (Scalar) -> Scalar
  ) -> (value: Scalar, slope: Scalar) {
    let bias = slope == 0 ? 0 : -Scalar(slope) * Scalar(abs(distance))
    guard softcap > 0 else { return (logit + bias, 1) }
    let share = tangent(logit / Scalar(softcap))
    return (Scalar(softcap) * share + bias, 1 - share * share)
  }
}

/// Softmax attention of one row in the arithmetic of `Scalar`, every sum in index order. `logit` takes
/// a product of a query and a key, the sum of its terms' absolute values, and how far the query stands behind
/// the key; it gives a logit and its magnitude. Weights are those of the keys, before they are divided by
/// their sum; none where there is no logit above -infinity. `magnitude` is the mean of the finite ones.
private func softmaxRow<Scalar: BinaryFloatingPoint>(
  query: [Scalar], keys: [Scalar], values: [Scalar], sight: Sight, sink: Scalar?,
  logit: (Scalar, Scalar, Int) -> (value: Scalar, magnitude: Scalar),
  exponential: (Scalar) -> Scalar, logarithm: (Scalar) -> Scalar
) -> (
  output: [Scalar], logSumExp: Scalar, largestLogit: Scalar, magnitude: Scalar, weights: [Scalar]
) {
  let d = query.count
  var output = [Scalar](repeating: 0, count: d)
  var (logits, magnitudes) = ([Scalar](), [Scalar]())
  logits.reserveCapacity(sight.keys.count)
  magnitudes.reserveCapacity(sight.keys.count)
  for key in sight.keys {
    var (product, size): (Scalar, Scalar) = (0, 0)
    for k in 0..<d {
      let term = query[k] * keys[key * d + k]
      product += term
      size += abs(term)
    }
    let (value, magnitude) = logit(product, size, sight.position - key)
    logits.append(value)
    magnitudes.append(magnitude)
  }
  let largestLogit = logits.reduce(0) { $1.isFinite ? max($0, abs($1)) : $0 }
  if sink == nil, logits.allSatisfy({ $0 == -.infinity }) {
    return (output, -.infinity, largestLogit, 0, [])
  }
  // A NaN logit takes no part in the maximum: it makes the sum NaN, and with it the row.
  let top = logits.reduce(sink ?? -.infinity) { $1 > $0 ? $1 : $0 }
  var sum = sink.map { exponential($0 - top) } ?? 0
  var magnitude: Scalar = 0
  // In the logits' place: rows may see millions of keys.
  for (place, key) in sight.keys.enumerated() {
    let weight = exponential(logits[place] - top)
    logits[place] = weight
    sum += weight
    let share = weight * magnitudes[place]
    if share.isFinite { magnitude += share }
    for k in 0..<d { output[k] += weight * values[key * d + k] }
  }
  for k in 0..<d { output[k] /= sum }
  return (output, top + logarithm(sum), largestLogit, magnitude / sum, logits)
}
