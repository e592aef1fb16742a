import AttentionKernels
import Testing

/// dQ, dK and dV against the Double reference, by the relative rule, and bit by bit.
@Suite struct BackwardTests {
  private func tolerance(_ run: BackwardRun) -> GradientTolerance {
    let problem = run.problem
    let d = problem.headDimension
    let reference = ReferenceAttention(
      keys: problem.keys, values: problem.values, headDimension: d, scale: problem.scale)
    let rows = 0..<problem.rowCount
    let queries = rows.map(problem.query(row:))
    let gradients = rows.map { Array(run.outputGradients[$0 * d..<($0 + 1) * d]) }
    let visible = rows.map(problem.visibleKeys(row:))
    return GradientTolerance(
      exact: ReferenceGradients(
        of: reference, queries: queries, outputGradients: gradients, visibleKeys: visible),
      naive: ReferenceGradients(
        naive: reference, queries: queries, outputGradients: gradients, visibleKeys: visible))
  }

  private func violation(_ run: BackwardRun) -> String? {
    let gradients = run.run()
    return tolerance(run).violation(
      queries: gradients.queries, keys: gradients.keys, values: gradients.values)
  }

  @Test(
    "every head dimension, ragged tiles, full and causal", arguments: TiledAttentionTests.dimensions
  )
  func raggedSizes(headDimension: Int) {
    var choice = headDimension
    for keys in [1, 31, 64, 65, 255, 300] {
      for causal in [false, true] {
        choice += 1
        let rows = [1, 7, 8, 63, 64, 130][choice % 6]
        let first = [-5, 0, 1, keys - rows + 1, keys / 2][choice % 5]
        let problem = HeadProblem(
          headDimension: headDimension, rows: rows, keys: keys,
          type: ElementType.allCases[choice % 3], causalFirst: causal ? first : nil,
          spread: choice % 2 == 0 ? 1 : 3, seed: UInt64(choice))
        for level in supportedLevels {
          let problem = violation(BackwardRun(level, problem))
          #expect(
            problem == nil,
            "\(level.name) d \(headDimension) keys \(keys) rows \(rows) causal \(causal)")
        }
      }
    }
  }

  @Test("statistics of a part of the keys break the rule for each of the three")
  func wrongStatistics() {
    let problem = HeadProblem(headDimension: 64, rows: 64, keys: 512, seed: 3)
    var run = BackwardRun(.best, problem)
    let right = run.run()
    run.logSumExp = { $1 - 0.01 }
    let wrong = run.run()
    let tolerance = tolerance(run)
    for (queries, keys, values) in [
      (wrong.queries, right.keys, right.values), (right.queries, wrong.keys, right.values),
      (right.queries, right.keys, wrong.values),
    ] {
      #expect(tolerance.violation(queries: queries, keys: keys, values: values) != nil)
    }
  }

  @Test(
    "avx2 and avx512 give the same bits",
    .enabled(if: KernelLevel.avx512.isSupported, "this CPU has no AVX-512"))
  func levels() {
    for problem in BitRuleTests.problems {
      #expect(BackwardRun(.avx2, problem).run().bits == BackwardRun(.avx512, problem).run().bits)
    }
  }

  @Test("dQ of a row has the bits that it has alone", arguments: supportedLevels)
  func heights(level: KernelLevel) {
    for problem in BitRuleTests.problems {
      var run = BackwardRun(level, problem)
      let whole = run.run().queries.map(\.bitPattern)
      for height in [1, 3, 7, 33] {
        run.height = height
        #expect(run.run().queries.map(\.bitPattern) == whole, "height \(height)")
      }
    }
  }

  @Test("what a row doesn't see changes no bit, even where it is NaN", arguments: supportedLevels)
  func unseen(level: KernelLevel) {
    let clean = HeadProblem(headDimension: 40, rows: 61, keys: 300, causalFirst: 170, seed: 8)
    var dirty = clean
    // The last row sees 230 keys.
    for element in 230 * 40..<300 * 40 {
      dirty.keys[element] = .nan
      dirty.values[element] = .infinity
    }
    #expect(BackwardRun(level, clean).run().bits == BackwardRun(level, dirty).run().bits)
    // A key that only the last rows see takes nothing of the first ones.
    var noisy = clean
    for element in 0..<10 * 40 { noisy.queries[element] = .nan }
    let (left, right) = (BackwardRun(level, clean).run(), BackwardRun(level, noisy).run())
    #expect(
      left.keys[(180 * 40)...].map(\.bitPattern) == right.keys[(180 * 40)...].map(\.bitPattern))
    #expect(
      left.values[(180 * 40)...].map(\.bitPattern) == right.values[(180 * 40)...].map(\.bitPattern))
  }
}
