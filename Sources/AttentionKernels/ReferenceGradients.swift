internal import Glibc

/// Gradients of one head by definition: with P = softmax(scale Q K^T), dP = dO V^T and
/// dS = P (dP - sum(P dP)), dQ = scale dS K, dK = scale dS^T Q, dV = P^T dO; a row at a time, over the
/// keys that it sees. A softcap multiplies dS by its derivative.
package struct ReferenceGradients: Sendable {
  /// dQ [rows][headDimension], dK and dV [keys][headDimension].
  package let queries: [Double]
  package let keys: [Double]
  package let values: [Double]
  /// Largest absolute value of a finite visible logit or log-sum-exp, in natural units: P is the
  /// exponential of their difference, and both are rounded.
  package let largestLogit: Double
  /// Of the sums of which elements of dQ, dK and dV are made, with all terms positive, the largest: an
  /// element may be small because large terms cancel, and then it is no measure of rounding.
  package let largestSums: (queries: Double, keys: Double, values: Double)

  package init(
    of attention: ReferenceAttention, queries: [[Double]], outputGradients: [[Double]],
    sights: [Sight]
  ) {
    self.init(
      attention, queries, outputGradients, sights, in: Double.self,
      exponential: { Glibc.exp($0) }, tangent: { Glibc.tanh($0) })
  }

  /// The same in naive float32: the yardstick of `GradientTolerance`.
  package init(
    naive attention: ReferenceAttention, queries: [[Double]], outputGradients: [[Double]],
    sights: [Sight]
  ) {
    self.init(
      attention, queries, outputGradients, sights, in: Float.self,
      exponential: { Glibc.expf($0) }, tangent: { Glibc.tanhf($0) })
  }

  private init<Scalar: BinaryFloatingPoint>(
    _ attention: ReferenceAttention, _ queries: [[Double]], _ outputGradients: [[Double]],
    _ sights: [Sight], in _: Scalar.Type, exponential: (Scalar) -> Scalar,
    tangent: (Scalar) -> Scalar
  ) {
    let d = attention.headDimension
    let keys = attention.keys.map { Scalar($0) }
    let values = attention.values.map { Scalar($0) }
    let scale = Scalar(attention.scale)
    func dot(_ row: [Scalar], _ matrix: [Scalar], _ key: Int) -> Scalar {
      (0..<d).reduce(0) { $0 + row[$1] * matrix[key * d + $1] }
    }
    func absoluteDot(_ row: [Scalar], _ matrix: [Scalar], _ key: Int) -> Scalar {
      (0..<d).reduce(0) { $0 + abs(row[$1] * matrix[key * d + $1]) }
    }
    let zeros = [Scalar](repeating: 0, count: keys.count)
    var (dQ, dK, dV) = ([Scalar](), zeros, zeros)
    // The same with positive terms.
    var (sQ, sK, sV) = ([Scalar](), zeros, zeros)
    var (largest, largestLogSumExp): (Scalar, Double) = (0, 0)
    for row in queries.indices {
      let query = queries[row].map { Scalar($0) }
      let gradient = outputGradients[row].map { Scalar($0) }
      let visible = sights[row].keys
      let shaped = visible.map {
        attention.shape.logit(
          dot(query, keys, $0) * scale, distance: sights[row].position - $0, tangent: tangent)
      }
      let logits = shaped.map(\.value)
      largest = logits.reduce(largest) { $1.isFinite ? max($0, abs($1)) : $0 }
      // A learnt logit takes weight, and has no value.
      let sink = attention.sinkLogit.map { Scalar($0) } ?? -.infinity
      let isEmpty = sink == -.infinity && logits.allSatisfy { $0 == -.infinity }
      let top = isEmpty ? 0 : logits.reduce(sink) { $1 > $0 ? $1 : $0 }
      let weights = logits.map { exponential($0 - top) }
      let sum = weights.reduce(sink == -.infinity ? 0 : exponential(sink - top), +)
      if !isEmpty, sum.isFinite {
        largestLogSumExp = max(largestLogSumExp, abs(Double(top) + Glibc.log(Double(sum))))
      }
      let shares = weights.map { isEmpty ? 0 : $0 / sum }
      let products = visible.map { dot(gradient, values, $0) }
      let difference = visible.indices.reduce(0) { $0 + shares[$1] * products[$1] }
      let sizes = visible.map { absoluteDot(gradient, values, $0) }
      let size = visible.indices.reduce(0) { $0 + shares[$1] * sizes[$1] }
      var (dRow, sRow) = ([Scalar](repeating: 0, count: d), [Scalar](repeating: 0, count: d))
      for (index, key) in visible.enumerated() {
        let share = shares[index]
        let slope = share * (products[index] - difference) * shaped[index].slope * scale
        let steepest = share * (sizes[index] + size) * abs(scale)
        for k in 0..<d {
          dRow[k] += slope * keys[key * d + k]
          dK[key * d + k] += slope * query[k]
          dV[key * d + k] += share * gradient[k]
          sRow[k] += steepest * abs(keys[key * d + k])
          sK[key * d + k] += steepest * abs(query[k])
          sV[key * d + k] += share * abs(gradient[k])
        }
      }
      dQ += dRow
      sQ += sRow
    }
    self.queries = dQ.map { Double($0) }
    self.keys = dK.map { Double($0) }
    self.values = dV.map { Double($0) }
    largestLogit = max(Double(largest), largestLogSumExp)
    largestSums = (Double(sQ.max() ?? 0), Double(sK.max() ?? 0), Double(sV.max() ?? 0))
  }
}

extension ReferenceGradients {
  /// Of one more query head that reads the same keys: dK and dV are sums over the heads of a group.
  package func joined(with other: ReferenceGradients) -> ReferenceGradients {
    func sum(_ left: [Double], _ right: [Double]) -> [Double] { zip(left, right).map { $0 + $1 } }
    return ReferenceGradients(
      queries: queries + other.queries, keys: sum(keys, other.keys),
      values: sum(values, other.values), largestLogit: max(largestLogit, other.largestLogit),
      largestSums: (
        max(largestSums.queries, other.largestSums.queries),
        largestSums.keys + other.largestSums.keys, largestSums.values + other.largestSums.values
      ))
  }

  private init(
    queries: [Double], keys: [Double], values: [Double], largestLogit: Double,
    largestSums: (queries: Double, keys: Double, values: Double)
  ) {
    self.queries = queries
    self.keys = keys
    self.values = values
    self.largestLogit = largestLogit
    self.largestSums = largestSums
  }
}

/// How far gradients of a head may be from the Double reference: FlashAttention's rule with a floor of
/// rounding, for each of the three: 2 x the naive float32 computation's largest error
/// + 2^-23 (1 + max |logit|) x the largest sum of absolute terms.
package struct GradientTolerance: Sendable {
  private let exact: ReferenceGradients
  private let naive: ReferenceGradients

  package init(exact: ReferenceGradients, naive: ReferenceGradients) {
    self.exact = exact
    self.naive = naive
  }

  /// Why gradients fail the rule, or nil.
  package func violation(queries: [Float], keys: [Float], values: [Float]) -> String? {
    violation("dQ", queries, exact.queries, naive.queries, exact.largestSums.queries)
      ?? violation("dK", keys, exact.keys, naive.keys, exact.largestSums.keys)
      ?? violation("dV", values, exact.values, naive.values, exact.largestSums.values)
  }

  private func violation(
    _ name: String, _ got: [Float], _ wanted: [Double], _ naive: [Double], _ largestSum: Double
  ) -> String? {
    guard got.count == wanted.count else { return "\(name) has \(got.count) elements" }
    let error = zip(wanted, naive).reduce(0) { max($0, abs($1.0 - $1.1)) }
    let bound = 2 * error + 0x1p-23 * (1 + exact.largestLogit) * largestSum
    let bad = got.indices.first { !(abs(Double(got[$0]) - wanted[$0]) <= bound) }
    return bad.map { "\(name) element \($0): \(got[$0]), reference \(wanted[$0]) ± \(bound)" }
  }
}
