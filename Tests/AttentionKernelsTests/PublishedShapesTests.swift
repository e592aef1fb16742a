import AttentionKernels
import Glibc
import Testing

/// The shapes of FlashAttention's own tests (`tests/test_flash_attn.py`), forward and backward: every
/// head dimension with every pair of lengths, masks of every kind dealt in turn.
@Suite struct PublishedShapesTests {
  static let dimensions = [32, 40, 59, 64, 80, 96, 111, 128, 160, 192, 224, 256]
  /// (queries, keys).
  static let lengths = [
    (97, 97), (128, 128), (200, 200), (384, 384), (768, 768), (1_025, 1_025), (113, 203),
    (128, 217), (113, 211), (108, 256), (256, 512), (512, 256), (1_024, 1_024), (1_023, 1_024),
    (1_024, 1_023), (2_048, 2_048), (3, 1_024), (1, 339), (64, 800), (64, 2_048), (16, 20_000),
    (16, 100_000),
    (1, 239), (3, 799), (127, 512), (127, 513),
  ]
  /// All masks with every shape, instead of one.
  static let takesAll = getenv("ATTNMESH_SOAK") != nil

  /// The reference takes these rows of a head, a few and from all over it.
  static func chosenRows(of count: Int, keys: Int) -> [Int] {
    let most = max(2, min(24, 40_000 / keys))
    return count <= most ? Array(0..<count) : (0..<most).map { ($0 + 1) * count / most - 1 }
  }

  @Test("forward and backward", arguments: dimensions)
  func shapes(headDimension: Int) {
    let place = Self.dimensions.firstIndex(of: headDimension) ?? 0
    for (index, (rows, keys)) in Self.lengths.enumerated() {
      let kinds = Self.takesAll ? Array(0..<DealtMask.count) : [index + place]
      for kind in kinds {
        // As there: the last query stands at the last key.
        let dealt = DealtMask(
          kind, queries: rows, keys: keys, seed: UInt64(index + headDimension))
        let problem = HeadProblem(
          headDimension: headDimension, rows: rows, keys: keys,
          type: Self.takesAll || kind % 2 == 0 ? .float32 : .bfloat16, mask: dealt.mask,
          shape: dealt.shape, seed: UInt64(index + headDimension))
        let chosen = Self.chosenRows(of: rows, keys: keys)
        let name = "d \(headDimension), \(dealt.testDescription)"
        forward(problem, chosen, name)
        backward(problem, chosen, name)
      }
    }
  }

  private func forward(_ problem: HeadProblem, _ chosen: [Int], _ name: String) {
    let result = attend(.best, problem)
    let tolerance = tolerance(problem, rows: chosen)
    for (index, row) in chosen.enumerated() {
      let violation = tolerance.violation(
        row: index, output: result.row(row, of: problem.headDimension),
        logSumExp: result.logSumExp[row])
      #expect(violation == nil, "\(name)")
    }
  }

  /// With dO of zero in all other rows dK and dV are those of the chosen ones.
  private func backward(_ problem: HeadProblem, _ chosen: [Int], _ name: String) {
    let d = problem.headDimension
    var run = BackwardRun(.best, problem)
    for row in Set(0..<problem.rowCount).subtracting(chosen) {
      for k in 0..<d { run.outputGradients[row * d + k] = 0 }
    }
    let gradients = run.run()
    let violation = run.tolerance(rows: chosen).violation(
      queries: chosen.flatMap { Array(gradients.queries[$0 * d..<($0 + 1) * d]) },
      keys: gradients.keys, values: gradients.values)
    #expect(violation == nil, "\(name)")
  }
}
