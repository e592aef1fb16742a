import AttentionKernels
import Glibc
import Testing

@Suite struct SoftmaxMergeTests {
  private struct Part: Equatable {
    var output: [Float]
    var logSumExp: Float

    static let empty = Part(output: [0, 0, 0], logSumExp: -.infinity)

    func merged(with other: Part) -> Part {
      var output = output
      var logSumExp = logSumExp
      var span = output.mutableSpan
      SoftmaxMerge.merge(into: &span, &logSumExp, other.output.span, other.logSumExp)
      return Part(output: output, logSumExp: logSumExp)
    }

    var bits: [UInt32] { (output + [logSumExp]).map(\.bitPattern) }
  }

  private func random(_ generator: inout SplitMix64) -> Part {
    Part(
      output: generator.normals(3).map(Float.init), logSumExp: Float(generator.normal() * 10))
  }

  @Test("the empty part is an exact identity on either side, -0 included")
  func identity() {
    let part = Part(output: [-0.0, 1.5, -3], logSumExp: 2)
    #expect(part.merged(with: .empty).bits == part.bits)
    #expect(Part.empty.merged(with: part).bits == part.bits)
  }

  @Test("two empty parts stay empty, without NaN")
  func bothEmpty() {
    #expect(Part.empty.merged(with: .empty).bits == Part.empty.bits)
  }

  @Test("a gap of ten thousand doesn't overflow, where log(1 + exp(gap)) does")
  func largeGap() {
    let low = Part(output: [1, 2, 3], logSumExp: -5000)
    let high = Part(output: [4, 5, 6], logSumExp: 5000)
    #expect(low.merged(with: high) == high)
    #expect(high.merged(with: low) == high)
    let trap = low.logSumExp + logf(1 + expf(high.logSumExp - low.logSumExp))
    #expect(trap == .infinity)
  }

  @Test("the merge commutes, and associates up to the rounding of its results")
  func algebra() {
    var generator = SplitMix64(seed: 61)
    for _ in 0..<1000 {
      let (a, b, c) = (random(&generator), random(&generator), random(&generator))
      #expect(a.merged(with: b).bits == b.merged(with: a).bits)
      let left = a.merged(with: b).merged(with: c)
      let right = a.merged(with: b.merged(with: c))
      #expect(abs(left.logSumExp - right.logSumExp) <= 2 * Float(16).ulp)
      let size = (a.output + b.output + c.output).map(abs).max() ?? 0
      // A rounded log-sum-exp moves the weights by its own unit in the last place.
      let bound = 2 * size.ulp + 2 * size * Float(16).ulp
      for (x, y) in zip(left.output, right.output) { #expect(abs(x - y) <= bound) }
    }
  }

  @Test("a part merged with itself is not that part: the log-sum-exp grows by ln 2")
  func notIdempotent() {
    let part = Part(output: [1, 2, 3], logSumExp: 4)
    #expect(part.merged(with: part) == Part(output: [1, 2, 3], logSumExp: 4.693_147_2))
  }

  @Test("NaN on either side makes the row NaN, of one bit pattern")
  func nan() {
    let part = Part(output: [1, 2, 3], logSumExp: 4)
    let broken = Part(output: [1, 2, 3], logSumExp: -.nan)
    for merged in [part.merged(with: broken), broken.merged(with: part)] {
      #expect(merged.bits == [UInt32](repeating: 0x7FC0_0000, count: 4))
    }
  }

  @Test("merged halves of a sequence agree with the reference")
  func halves() {
    let problem = HeadProblem(headDimension: 64, rows: 8, keys: 512, spread: 10, seed: 62)
    var first = problem
    var second = problem
    first.keys = Array(problem.keys.prefix(200 * 64))
    first.values = Array(problem.values.prefix(200 * 64))
    second.keys = Array(problem.keys.dropFirst(200 * 64))
    second.values = Array(problem.values.dropFirst(200 * 64))
    let (a, b) = (attend(.best, first), attend(.best, second))
    var result = HeadResult()
    for row in 0..<8 {
      let merged = Part(output: a.row(row, of: 64), logSumExp: a.logSumExp[row])
        .merged(with: Part(output: b.row(row, of: 64), logSumExp: b.logSumExp[row]))
      result.output += merged.output
      result.logSumExp.append(merged.logSumExp)
    }
    #expect(violation(problem, result, tolerance(problem)) == nil)
  }

  @Test("a sink logit is a part without value, and a row without keys has it as its log-sum-exp")
  func sinkLogit() {
    func sunk(_ part: Part, _ logit: Float) -> Part {
      var (output, logSumExp) = (part.output, part.logSumExp)
      output.withUnsafeMutableBufferPointer {
        SoftmaxMerge.merge(sinkLogit: logit, into: $0, &logSumExp)
      }
      return Part(output: output, logSumExp: logSumExp)
    }
    var generator = SplitMix64(seed: 5)
    for _ in 0..<200 {
      let part = random(&generator)
      let logit = Float(generator.normal() * 10)
      let asPart = part.merged(with: Part(output: [0, 0, 0], logSumExp: logit))
      #expect(sunk(part, logit).bits == asPart.bits)
      #expect(sunk(part, -.infinity) == part)
      let share = 1 / (1 + exp(Double(logit) - Double(part.logSumExp)))
      for (found, whole) in zip(sunk(part, logit).output, part.output) {
        let error: Double = Double(found) - share * Double(whole)
        #expect(abs(error) <= 1e-6 * abs(Double(whole)))
      }
    }
    #expect(sunk(.empty, 3).bits == Part(output: [0, 0, 0], logSumExp: 3).bits)
    let large = sunk(Part(output: [1, 2, 3], logSumExp: 1e4), -1e4)
    #expect(large == Part(output: [1, 2, 3], logSumExp: 1e4))
  }
}
