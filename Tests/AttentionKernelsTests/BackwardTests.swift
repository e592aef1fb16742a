import AttentionKernels
import Testing

/// dQ, dK and dV against the Double reference, by the relative rule, and bit by bit.
@Suite struct BackwardTests {
  private func violation(_ run: BackwardRun) -> String? {
    let gradients = run.run()
    return run.tolerance().violation(
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
        let rows = [1, 7, 8, 63, 64, 130][(choice / 2 + headDimension) % 6]
        let first = [-5, 0, 1, keys - rows + 1, keys / 2][choice % 5]
        let problem = HeadProblem(
          headDimension: headDimension, rows: rows, keys: keys,
          type: ElementType.allCases[choice % 3], causalFirst: causal ? first : nil,
          spread: choice / 3 % 2 == 0 ? 1 : 3, seed: UInt64(choice))
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
    let tolerance = run.tolerance()
    for (queries, keys, values) in [
      (wrong.queries, right.keys, right.values), (right.queries, wrong.keys, right.values),
      (right.queries, right.keys, wrong.values),
    ] {
      #expect(tolerance.violation(queries: queries, keys: keys, values: values) != nil)
    }
  }

  /// A wrong D shows in dQ and dK only: whoever looks at dV alone doesn't see it.
  @Test("a D of a part of the keys breaks the rule for dQ and dK, and leaves dV as it is")
  func partialDifference() {
    let problem = HeadProblem(headDimension: 64, rows: 64, keys: 512, seed: 3)
    var run = BackwardRun(.best, problem)
    let right = run.run()
    run.outputs = { $0.map { $0 * 0.99 } }
    let wrong = run.run()
    let tolerance = run.tolerance()
    #expect(wrong.values == right.values)
    for (queries, keys) in [(wrong.queries, right.keys), (right.queries, wrong.keys)] {
      #expect(tolerance.violation(queries: queries, keys: keys, values: right.values) != nil)
    }
  }

  @Test("any scale: negative, zero, above one", arguments: [-0.25, 0, 0.7, 3])
  func scales(scale: Double) {
    var problem = HeadProblem(headDimension: 33, rows: 9, keys: 300, causalFirst: 280, seed: 14)
    problem.scale = scale
    for level in supportedLevels {
      let violation = violation(BackwardRun(level, problem))
      #expect(violation == nil, "\(level.name)")
    }
  }

  @Test(
    "logits of thousands and of a billion: no weight above one", arguments: [1e4, 1e8, 1.5e9, 1e10])
  func largeLogits(largest: Double) {
    var problem = HeadProblem(headDimension: 8, rows: 9, keys: 100, seed: 12)
    problem.scale = 1
    for row in 0..<9 { problem.queries[row * 8] = 100 }
    for key in 0..<100 {
      problem.keys[key * 8] = ElementType.float32.rounded(largest / 100 * Double(key + 1) / 100)
    }
    for level in supportedLevels {
      let run = BackwardRun(level, problem)
      let violation = violation(run)
      #expect(violation == nil, "\(level.name)")
      let most = run.outputGradients.reduce(0) { max($0, abs($1)) } * 9
      #expect(run.run().values.allSatisfy { abs(Double($0)) <= most })
    }
  }

  @Test("rows of which every logit is -infinity give nothing; a NaN makes NaN of what it touches")
  func nonFinite() {
    var problem = HeadProblem(headDimension: 1, rows: 2, keys: 3, seed: 4)
    problem.scale = 1
    problem.queries = [1, 1]
    problem.keys = [-.infinity, -.infinity, -.infinity]
    for level in supportedLevels {
      #expect(BackwardRun(level, problem).run().values == [0, 0, 0])
      var poisoned = HeadProblem(headDimension: 3, rows: 4, keys: 5, causalFirst: 1, seed: 4)
      poisoned.keys[2 * 3] = .nan
      let gradients = BackwardRun(level, poisoned).run()
      // Rows 2 and 3 see key 2.
      #expect(gradients.queries[..<6].allSatisfy { $0.isFinite })
      #expect(gradients.queries[6...].allSatisfy { $0.bitPattern == 0x7FC0_0000 })
      #expect(gradients.values.allSatisfy { $0.bitPattern == 0x7FC0_0000 || $0.isFinite })
      #expect(gradients.values.contains { $0.isNaN })
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
