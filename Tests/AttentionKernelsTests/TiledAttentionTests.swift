import AttentionKernels
import Testing

/// The kernels against the Double reference, by the relative rule.
@Suite struct TiledAttentionTests {
  static let dimensions = [
    1, 2, 7, 16, 31, 32, 33, 40, 59, 64, 80, 96, 111, 128, 160, 192, 224, 256,
  ]
  static let keyCounts = [1, 31, 32, 33, 255, 256, 257, 600]
  static let rowCounts = [1, 7, 8, 9, 63, 64]

  @Test("every head dimension, ragged tiles, full and causal", arguments: dimensions)
  func raggedSizes(headDimension: Int) {
    var choice = headDimension
    for keys in Self.keyCounts {
      for causal in [false, true] {
        // Neighbouring cases take other heights, types and offsets; all pairs occur over the suite.
        choice += 1
        let rows = Self.rowCounts[choice % Self.rowCounts.count]
        let first = [-5, 0, 1, keys - rows + 1, keys / 2][choice % 5]
        let problem = HeadProblem(
          headDimension: headDimension, rows: rows, keys: keys,
          type: ElementType.allCases[choice % 3], causalFirst: causal ? first : nil,
          spread: choice % 2 == 0 ? 1 : 10, seed: UInt64(choice))
        check(problem)
      }
    }
  }

  @Test("logits spread over tens and hundreds", arguments: [10.0, 100, 1000])
  func largeLogits(spread: Double) {
    for causal in [nil, -7, 530] {
      check(
        HeadProblem(
          headDimension: 64, rows: 64, keys: 600, causalFirst: causal, spread: spread, seed: 11))
    }
  }

  @Test("any scale: negative, zero, above one", arguments: [-0.25, 0, 0.7, 3])
  func scales(scale: Double) {
    var problem = HeadProblem(headDimension: 33, rows: 9, keys: 300, causalFirst: 280, seed: 14)
    problem.scale = scale
    check(problem)
  }

  @Test("logits of ten thousand, of either sign, and the maximum in the last tile")
  func extremeLogits() {
    for largest in [1e4, -1e4] {
      var problem = HeadProblem(headDimension: 8, rows: 9, keys: 600, seed: 12)
      problem.scale = 1
      for row in 0..<9 {
        for k in 0..<8 { problem.queries[row * 8 + k] = k == 0 ? 100 : 0.5 }
      }
      // The logit grows from key to key, so that every tile rescales what came before.
      for key in 0..<600 {
        problem.keys[key * 8] = ElementType.float32.rounded(largest / 100 * Double(key + 1) / 600)
      }
      check(problem)
    }
  }

  @Test("a tile folded twice or left out breaks the rule")
  func defectsAreCaught() {
    let problem = HeadProblem(headDimension: 64, rows: 8, keys: 768, spread: 10, seed: 13)
    let tolerance = tolerance(problem)
    for tiles in [[0, 1, 1, 2], [0, 2]] {
      let run = HeadRun(AttentionKernel(), problem, firstRow: 0, rowCount: 8)
      for tile in tiles { run.fold(tile: tile) }
      #expect(violation(problem, run.finish(), tolerance) != nil, "tiles \(tiles)")
    }
  }

  private func check(_ problem: HeadProblem) {
    let tolerance = tolerance(problem)
    for level in supportedLevels {
      let reason = violation(problem, attend(level, problem), tolerance)
      #expect(
        reason == nil,
        """
        \(level.name) d \(problem.headDimension) keys \(problem.keyCount) \
        rows \(problem.rowCount) \(problem.type) \(problem.mask)
        """)
    }
  }
}
