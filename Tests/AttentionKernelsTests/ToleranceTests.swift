import AttentionKernels
import Testing

/// The tolerance rule where products cancel: all numbers are exact in float32, so that the naive
/// computation has no error and the floor of rounding is all there is.
@Suite struct ToleranceTests {
  /// Keys whose products with the query are 2^16 each and cancel: O = 0 and LSE = ln 2.
  private static let query = [256.0, 256]
  private static let cancelling = ReferenceAttention(
    keys: [256, -256, -256, 256], values: [1, 1, -1, -1], headDimension: 2, scale: 1)
  private static let magnitude = 0x1p17

  @Test("an error of one rounding of the products is allowed, and one of two isn't")
  func floor() {
    let sight = Sight(keys: 2)
    let row = Self.cancelling.row(query: Self.query, sight: sight)
    let tolerance = Tolerance(
      reference: [row],
      naive: Self.cancelling.naiveFloat32Rows(queries: [Self.query], sights: [sight]),
      largestValue: 1)
    #expect(abs(row.magnitude / Self.magnitude - 1) < 1e-12 && row.output == [0, 0])
    #expect(tolerance.naiveLogSumExpError < 0x1p-23)
    for (roundings, isAllowed) in [
      (0, true), (1, true), (-1, true), (2, false), (-2, false), (8, false),
    ] {
      let error = Double(roundings) * 0x1p-24 * Self.magnitude
      let output = [0, Float(error)]
      let isOutputAllowed =
        tolerance.violation(row: 0, output: output, logSumExp: Float(row.logSumExp)) == nil
      let isSumAllowed =
        tolerance.violation(row: 0, output: [0, 0], logSumExp: Float(row.logSumExp + error)) == nil
      #expect(isOutputAllowed == isAllowed && isSumAllowed == isAllowed, "\(roundings) roundings")
    }
  }

  @Test("what a row doesn't see, or gives no weight, adds nothing to its magnitude")
  func weights() {
    // Logits 0, of which one has products; -2^16, whose weight is 0; and one that isn't seen.
    let reference = ReferenceAttention(
      keys: [256, -256, 0, 0, -256, 0, 256, 256], values: [Double](repeating: 1, count: 8),
      headDimension: 2, scale: 1)
    let row = reference.row(query: Self.query, sight: Sight(keys: [0, 1, 2], position: 3))
    #expect(abs(row.magnitude / (Self.magnitude / 2) - 1) < 1e-12)
    #expect(reference.row(query: Self.query, sight: Sight(keys: [], position: 3)).magnitude == 0)
  }

  @Test(
    "a sink takes its weight, a cap what it flattens, and a bias counts beside what it is added to")
  func shapes() {
    func magnitude(_ key: [Double], _ shape: LogitShape, sink: Float? = nil) -> Double {
      ReferenceAttention(
        keys: key, values: [1, 1], headDimension: 2, scale: -1, shape: shape, sinkLogit: sink
      ).row(query: Self.query, sight: Sight(keys: [0], position: 4)).magnitude
    }
    #expect(magnitude([256, -256], .plain) == Self.magnitude)
    #expect(abs(magnitude([256, -256], .plain, sink: 0) / (Self.magnitude / 2) - 1) < 1e-12)
    #expect(magnitude([256, -256], LogitShape(softcap: 2)) == Self.magnitude)
    #expect(magnitude([256, 0], LogitShape(softcap: 2)) == 0)
    #expect(magnitude([256, -256], LogitShape(slope: 0.5)) == Self.magnitude + 2)
    #expect(magnitude([256, 0], LogitShape(softcap: 2, slope: -0.5)) == 2)
  }
}
