import AttentionKernels
import ElementTypes
import MeshCore
import MeshRuntime
import Testing

/// One process computes the same bytes in any portions.
@Suite struct InProcessTests {
  private let store: TemporaryStore

  init() throws {
    store = try TemporaryStore()
  }

  private func tensor(_ name: String, _ shape: [Int]) throws -> String {
    let path = "\(store.path)/\(name).npy"
    let dimensions = shape.map { "\($0), " }.joined()
    let text = "{'descr': '<f4', 'fortran_order': False, 'shape': (\(dimensions)), }"
    let header = [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(text.utf8.count), 0]
    var random = SystemRandomNumberGenerator()
    let floats = (0..<shape.reduce(1, *)).map { _ in Float.random(in: -2...2, using: &random) }
    try write(header + Array(text.utf8) + floats.withUnsafeBytes { Array($0) }, to: path)
    return path
  }

  @Test(
    "whole, by heads, by parts of a group, by rows", arguments: [MaskRule.full, .causal],
    [[6, 300, 20], [2, 6, 150, 16]])
  func equalBytes(mask: MaskRule, shape: [Int]) throws {
    var keys = shape
    keys[keys.count - 3] = 2
    keys[keys.count - 2] = 600
    let inputs = try JobInputs(
      query: tensor("q", shape), key: tensor("k", keys), value: tensor("v", keys),
      options: JobInputs.Options(
        mask: mask, scale: nil, layout: nil, precision: .float32, vranks: 0))
    func result(_ bytes: Int) throws -> (bytes: [[UInt8]], digest: String, portions: Int) {
      let paths = ["o", "lse"].map { "\(store.path)/\($0).npy" }
      let files = try ResultFiles(
        output: paths[0], element: .float32, logSumExp: paths[1], shape: inputs.shape)
      let portions = Portions(of: inputs.spec, bytes: bytes)
      let run = try InProcessAttention(
        inputs: inputs, kernel: AttentionKernel(level: KernelLevel.chosen()), threads: 2,
        portions: portions)
      var last = (0, 0)
      let outcome = try run.run(
        into: files, progress: { last = ($0, $1) }, isCancelled: { false })
      #expect(last.0 == last.1 && last.1 > 0)
      try files.commit()
      return (paths.map { contents(of: $0) }, "\(outcome.outputDigest)", portions.count)
    }
    let whole = try result(.max >> 8)
    #expect(whole.portions == 1)
    var counts: Set<Int> = []
    for bytes in [0, 300_000, 600_000, 1 << 20] {
      let cut = try result(bytes)
      #expect(cut.bytes == whole.bytes)
      #expect(cut.digest == whole.digest)
      counts.insert(cut.portions)
    }
    #expect(counts.count > 2)
  }
}
