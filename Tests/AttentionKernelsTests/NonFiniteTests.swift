import AttentionKernels
import Testing

/// NaN and infinity: what is visible shows as in a naive computation, what is masked never does.
@Suite struct NonFiniteTests {
  static let canonical = Float(bitPattern: 0x7FC0_0000).bitPattern

  @Test("NaN and infinity in masked keys and values change no bit", arguments: supportedLevels)
  func masked(level: KernelLevel) {
    for height in [1, 8, 64] {
      let clean = HeadProblem(
        headDimension: 40, rows: 64, keys: 300, causalFirst: 170, spread: 3, seed: 31)
      var dirty = clean
      // Row 63 sees keys 0 ..< 233; the rest of its tile and the next tile are poisoned.
      for index in 233 * 40..<300 * 40 {
        dirty.keys[index] = [.nan, .infinity, -.infinity][index % 3]
        dirty.values[index] = [.infinity, .nan, -.infinity][index % 3]
      }
      #expect(
        attend(level, clean, height: height).bits == attend(level, dirty, height: height).bits)
      // Poison in the middle of the diagonal: rows above see nothing of it.
      dirty.values[200 * 40] = .infinity
      dirty.keys[200 * 40] = .nan
      let above = attend(level, dirty, height: height)
      let expected = attend(level, clean, height: height)
      for row in 0..<31 { #expect(above.row(row, of: 40) == expected.row(row, of: 40)) }
      #expect(above.row(31, of: 40).allSatisfy { $0.bitPattern == Self.canonical })
    }
  }

  @Test("a visible NaN makes its rows NaN, of one bit pattern", arguments: supportedLevels)
  func visibleNaN(level: KernelLevel) {
    for negative in [false, true] {
      let poison = negative ? -Double.nan : .nan
      var problem = HeadProblem(headDimension: 33, rows: 9, keys: 600, seed: 32)
      problem.queries[4 * 33 + 2] = poison
      let result = attend(level, problem)
      for row in 0..<9 {
        let isNaN = result.row(row, of: 33).map { $0.bitPattern == Self.canonical }
        #expect(isNaN == [Bool](repeating: row == 4, count: 33))
        #expect((result.logSumExp[row].bitPattern == Self.canonical) == (row == 4))
      }
      problem = HeadProblem(headDimension: 33, rows: 9, keys: 600, seed: 32)
      problem.keys[300 * 33] = poison
      let all = attend(level, problem)
      #expect(all.bits.allSatisfy { $0 == Self.canonical })
      problem = HeadProblem(headDimension: 33, rows: 9, keys: 600, seed: 32)
      problem.values[300 * 33 + 5] = poison
      let column = attend(level, problem)
      #expect(column.row(8, of: 33)[5].bitPattern == Self.canonical)
      #expect(column.row(8, of: 33).filter(\.isNaN).count == 1)
      #expect(column.logSumExp.allSatisfy { $0.isFinite })
    }
  }

  @Test("a logit of +infinity gives NaN, as in the reference", arguments: supportedLevels)
  func positiveInfinity(level: KernelLevel) {
    var problem = HeadProblem(headDimension: 1, rows: 8, keys: 300, seed: 33)
    problem.queries = problem.queries.map { _ in 1 }
    problem.keys[270] = .infinity
    #expect(attend(level, problem).bits.allSatisfy { $0 == Self.canonical })
    #expect(violation(problem, attend(level, problem), tolerance(problem)) == nil)
  }

  @Test(
    "rows whose visible logits are all -infinity give 0 and -infinity", arguments: supportedLevels)
  func negativeInfinity(level: KernelLevel) {
    var problem = HeadProblem(headDimension: 1, rows: 9, keys: 300, seed: 34)
    problem.queries = problem.queries.map { _ in 1 }
    problem.keys = problem.keys.map { _ in -.infinity }
    let empty = attend(level, problem)
    #expect(empty.output.allSatisfy { $0.bitPattern == 0 })
    #expect(empty.logSumExp.allSatisfy { $0 == -.infinity })
    // A first tile of -infinity, then finite logits; and the other way round.
    problem.keys[280] = 2
    #expect(violation(problem, attend(level, problem), tolerance(problem)) == nil)
    problem.keys[280] = -.infinity
    problem.keys[3] = 2
    #expect(violation(problem, attend(level, problem), tolerance(problem)) == nil)
  }

  @Test("rows that see no key give 0 and -infinity", arguments: supportedLevels)
  func nothingVisible(level: KernelLevel) {
    let problem = HeadProblem(
      headDimension: 20, rows: 64, keys: 300, causalFirst: -40, seed: 35)
    let result = attend(level, problem)
    #expect(result.output.prefix(41 * 20).allSatisfy { $0.bitPattern == 0 })
    #expect(result.logSumExp.prefix(41).allSatisfy { $0 == -.infinity })
    #expect(result.logSumExp.dropFirst(41).allSatisfy { $0.isFinite })
  }

  @Test(
    "an infinite value under a weight of 0 gives NaN, as in the reference",
    arguments: supportedLevels)
  func infiniteValue(level: KernelLevel) {
    var problem = HeadProblem(headDimension: 2, rows: 8, keys: 300, seed: 36)
    problem.scale = 1
    for index in 0..<8 { problem.queries[index * 2] = 1 }
    problem.keys[10 * 2] = 1e4
    problem.values[200 * 2 + 1] = .infinity
    let result = attend(level, problem)
    for row in 0..<8 {
      #expect(result.row(row, of: 2)[0].isFinite)
      #expect(result.row(row, of: 2)[1].bitPattern == Self.canonical)
    }
  }

  @Test(
    "under a weight next to nothing an infinite value may be NaN or stay, and nothing else",
    arguments: supportedLevels)
  func faintInfinity(level: KernelLevel) {
    // A weight of 0 for a kernel and not for Double, of 0 for both, and one that both see.
    for (logit, isFaint) in [(120.0, true), (800, true), (1, false)] {
      // The largest logit is in the same tile, or in the next, under which what was folded shrinks.
      for largest in [10, 280] {
        var problem = HeadProblem(headDimension: 2, rows: 8, keys: 300, seed: 38)
        problem.scale = 1
        problem.queries = problem.queries.indices.map { $0 % 2 == 0 ? 1 : 0 }
        problem.keys = problem.keys.map { _ in 0 }
        problem.keys[largest * 2] = logit
        problem.values[200 * 2 + 1] = .infinity
        let result = attend(level, problem)
        let tolerance = tolerance(problem)
        #expect(violation(problem, result, tolerance) == nil)
        let first = result.row(0, of: 2)
        #expect(isFaint ? first[1].isNaN : first[1] == .infinity)
        for (other, passes) in [
          (Float.nan, isFaint), (.infinity, true), (-.infinity, logit == 800), (0, false),
        ] {
          let found = tolerance.violation(
            row: 0, output: [first[0], other], logSumExp: result.logSumExp[0])
          #expect((found == nil) == passes, "\(logit), \(largest), \(other)")
        }
      }
    }
  }

  @Test("logits of 1e38 apart leave exactly one key", arguments: supportedLevels)
  func hugeGap(level: KernelLevel) {
    var problem = HeadProblem(headDimension: 1, rows: 7, keys: 520, seed: 37)
    problem.scale = 1
    problem.queries = problem.queries.map { _ in 1 }
    problem.keys = problem.keys.map { ElementType.float32.rounded(-1e38 * abs($0)) }
    problem.keys[400] = 1
    let result = attend(level, problem)
    #expect(result.output.allSatisfy { $0 == Float(problem.values[400]) })
    #expect(result.logSumExp.allSatisfy { $0 == 1 })
  }
}
