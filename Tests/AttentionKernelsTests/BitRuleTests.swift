import AttentionKernels
import Testing

/// The product's promise: a row's bits depend on the row and the tiles, on nothing else.
@Suite struct BitRuleTests {
  static let problems: [HeadProblem] = [
    HeadProblem(headDimension: 64, rows: 64, keys: 600, spread: 10, seed: 21),
    HeadProblem(headDimension: 40, rows: 61, keys: 513, causalFirst: -9, spread: 3, seed: 22),
    HeadProblem(headDimension: 96, rows: 64, keys: 300, causalFirst: 237, spread: 10, seed: 23),
    HeadProblem(
      headDimension: 33, rows: 64, keys: 290, type: .bfloat16, causalFirst: 250, seed: 24),
    HeadProblem(headDimension: 1, rows: 19, keys: 77, type: .float16, causalFirst: 0, seed: 25),
  ]

  @Test(
    "avx2 and avx512 give the same bits",
    .enabled(if: KernelLevel.avx512.isSupported, "this CPU has no AVX-512"))
  func levels() {
    #expect(KernelLevel.avx2.arithmeticClass == KernelLevel.avx512.arithmeticClass)
    for problem in Self.problems {
      #expect(attend(.avx2, problem).bits == attend(.avx512, problem).bits)
    }
  }

  @Test("the height of the query tile changes no bit", arguments: supportedLevels)
  func heights(level: KernelLevel) {
    for problem in Self.problems {
      let whole = attend(level, problem).bits
      for height in [1, 2, 3, 5, 6, 7, 8, 9, 15, 33] {
        #expect(attend(level, problem, height: height).bits == whole, "height \(height)")
      }
    }
  }

  @Test("the rows beside a row change none of its bits", arguments: supportedLevels)
  func neighbours(level: KernelLevel) {
    let problem = Self.problems[0]
    let d = problem.headDimension
    let straight = attend(level, problem)
    var reversed = problem
    reversed.queries = (0..<64).reversed().flatMap { problem.query(row: $0) }
    let turned = attend(level, reversed)
    for row in 0..<64 {
      #expect(straight.row(row, of: d) == turned.row(63 - row, of: d))
      #expect(straight.logSumExp[row] == turned.logSumExp[63 - row])
    }
  }

  @Test("a fold interrupted after any tile and resumed gives the same bits")
  func interrupted() {
    for level in supportedLevels {
      for problem in Self.problems {
        let kernel = AttentionKernel(level: level)
        let rows = problem.rowCount
        let whole = HeadRun(kernel, problem, firstRow: 0, rowCount: rows)
        whole.foldAll(tileKeys: 64)
        let tiles = (problem.keyCount + 63) / 64
        for cut in [1, tiles / 2] {
          let first = HeadRun(kernel, problem, firstRow: 0, rowCount: rows)
          for tile in 0..<cut { first.fold(tile: tile, tileKeys: 64) }
          let second = HeadRun(kernel, problem, firstRow: 0, rowCount: rows)
          second.copyState(from: first)
          for tile in cut..<tiles { second.fold(tile: tile, tileKeys: 64) }
          #expect(second.stateBits == whole.stateBits)
          #expect(second.finish().bits == whole.finish().bits)
        }
      }
    }
  }

  @Test("threads at work on the same head don't change its bits")
  func threads() async {
    let problem = Self.problems[2]
    let expected = attend(.best, problem).bits
    let results = await withTaskGroup(of: [UInt32].self) { group in
      for height in [64, 32, 16, 8] {
        group.addTask { attend(.best, problem, height: height).bits }
      }
      return await group.reduce(into: []) { $0.append($1) }
    }
    #expect(results.allSatisfy { $0 == expected })
  }

  @Test("a row that sees no key of a tile keeps its state bit for bit", arguments: supportedLevels)
  func untouched(level: KernelLevel) {
    let problem = HeadProblem(headDimension: 40, rows: 64, keys: 256, seed: 26)
    let odd: [Float] = [-0.0, 0, -1.5, .leastNonzeroMagnitude, .infinity, .nan, -.infinity]
    for first in [-1000, -64, -63, -20, -5, 0] {
      let run = HeadRun(AttentionKernel(level: level), problem, firstRow: 0, rowCount: 64)
      let padded = problem.layout.paddedDimension
      for index in 0..<run.accumulator.count { run.accumulator.base[index] = odd[index % 7] }
      for row in 0..<64 {
        run.maximum.base[row] = [-3, -0.0, -.infinity][row % 3]
        run.sum.base[row] = [2, 1, 0][row % 3]
      }
      let before = (run.accumulator.bits, run.maximum.bits, run.sum.bits)
      run.fold(tile: 0, visibility: KeyVisibility(upper: first, ceiling: 256))
      let blind = min(64, 1 - first)
      let seeing = blind * padded
      #expect(run.accumulator.bits.prefix(seeing) == before.0.prefix(seeing), "first \(first)")
      #expect(run.maximum.bits.prefix(blind) == before.1.prefix(blind))
      #expect(run.sum.bits.prefix(blind) == before.2.prefix(blind))
    }
  }

  @Test("keys that only the neighbours see don't turn a row's -0 to +0", arguments: supportedLevels)
  func negativeZero(level: KernelLevel) {
    // exp2 underflows to 0 for every key but the first; values are positive, so that a masked key
    // that took part after all would add +0 to -0.
    var problem = HeadProblem(headDimension: 16, rows: 8, keys: 64, causalFirst: 1, seed: 27)
    problem.queries = problem.queries.map { _ in 0 }
    problem.values = problem.values.map { abs($0) }
    for k in 0..<16 { problem.values[k] = -0.0 }
    let run = HeadRun(AttentionKernel(level: level), problem, firstRow: 0, rowCount: 8)
    for index in 0..<run.accumulator.count { run.accumulator.base[index] = -0.0 }
    for row in 0..<8 {
      run.maximum.base[row] = 0
      run.sum.base[row] = 1
    }
    run.foldAll()
    #expect(run.finish().output.prefix(16).allSatisfy { $0.bitPattern == 0x8000_0000 })
  }
}
