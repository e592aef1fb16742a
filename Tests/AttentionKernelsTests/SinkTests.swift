import AttentionKernels
import Testing

/// A sink: one key holds almost all the weight, and thousands of light keys share the rest. Each of
/// them is below the rounding of an accumulator that holds the sink, all of them together are not.
@Suite struct SinkTests {
  static let cases = [
    // The sink in the first key, at the end of a chunk, and in the last tile.
    SinkCase(headDimension: 16, sink: 0, causal: false),
    SinkCase(headDimension: 40, sink: 0, causal: true),
    SinkCase(headDimension: 32, sink: 63, causal: true),
    SinkCase(headDimension: 64, sink: 20_000, causal: false),
  ]

  @Test("the tail behind a sink is not rounded away", arguments: supportedLevels)
  func tail(level: KernelLevel) {
    for sinkCase in Self.cases {
      let result = attend(level, sinkCase.problem)
      let name = sinkCase.testDescription
      // Not relative to a naive float32 computation, which loses the tail as well.
      #expect(sinkCase.error(of: result) <= 0x1p-20, "\(name)")
      #expect(violation(sinkCase.problem, result, sinkCase.tolerance) == nil, "\(name)")
    }
  }

  @Test("behind a sink too, the height of the query tile changes no bit")
  func bits() {
    let problem = Self.cases[1].problem
    for level in supportedLevels {
      let whole = attend(level, problem).bits
      for height in [1, 2, 5, 8] {
        #expect(attend(level, problem, height: height).bits == whole, "height \(height)")
      }
    }
  }
}

/// A head with a sink, and what is right for it.
struct SinkCase: CustomTestStringConvertible {
  let problem: HeadProblem
  let tolerance: Tolerance
  let testDescription: String
  private let reference: [ReferenceAttention.Row]
  private let largestValue: Double

  /// Light keys of weights 2^-26 ... 2^-22 beside the sink's 1, the same in every row; under a
  /// causal mask the rows differ in the last few keys that they see.
  init(headDimension d: Int, sink: Int, causal: Bool) {
    let keys = 20_101
    let rows = 9
    var problem = HeadProblem(
      headDimension: d, rows: rows, keys: keys, causalFirst: causal ? keys - rows + 1 : nil,
      seed: 41)
    var random = SplitMix64(seed: 42)
    problem.scale = 1
    // Column 0 carries the logit.
    problem.queries = (0..<rows * d).map { $0 % d == 0 ? 1 : 0 }
    for key in 0..<keys {
      let exponent = key == sink ? 0 : Double.random(in: -26 ... -22, using: &random)
      problem.keys[key * d] = ElementType.float32.rounded(exponent * 0.693_147_180_559_945_3)
      for k in 0..<d {
        // Of equal sign, so that what is lost adds up; the sink's is the smallest, so that a loss
        // in O~ is not made good by the same loss in l.
        let value = key == sink ? 0.25 : Double.random(in: 0.5..<1, using: &random)
        problem.values[key * d + k] = ElementType.float32.rounded(value)
      }
    }
    self.problem = problem
    testDescription = "d \(d), sink at \(sink), \(causal ? "causal" : "full")"
    let exact = ReferenceAttention(
      keys: problem.keys, values: problem.values, headDimension: d, scale: 1)
    let queries = (0..<rows).map(problem.query(row:))
    let sights = (0..<rows).map(problem.sight(row:))
    reference = zip(queries, sights).map { exact.row(query: $0, sight: $1) }
    largestValue = exact.largestValue
    tolerance = Tolerance(
      reference: reference, naive: exact.naiveFloat32Rows(queries: queries, sights: sights),
      largestValue: largestValue)
  }

  /// Largest error of O, in units of max |v|.
  func error(of result: HeadResult) -> Double {
    var worst = 0.0
    for (row, exact) in reference.enumerated() {
      for (got, wanted) in zip(result.row(row, of: problem.headDimension), exact.output) {
        // A NaN must not pass as small.
        worst = got.isNaN ? .infinity : max(worst, abs(Double(got) - wanted))
      }
    }
    return worst / largestValue
  }
}
