import AttentionKernels
import Checksums
import ElementTypes
import MeshCore
import MeshSimulation
import Testing

/// Whole runs: real cores, real arithmetic.
@Suite struct MeshTests {
  @Test(
    "any job on any mesh is the reference, and the bits of one worker",
    arguments: 1...460 * soakFactor)
  func randomJobs(seed: Int) throws {
    try check(Configuration(seed: UInt64(seed)))
  }

  @Test(
    "heads of few logits whose products cancel, where naive float32 happens to be right",
    arguments: [1193, 2489, 2491, 3568, 3971, 4382])
  func luckyNaive(seed: Int) throws {
    try check(Configuration(seed: UInt64(seed)))
  }

  @Test(
    "windows of few tiles, and of one that is packed head by head, give the same bytes",
    arguments: 1...60 * soakFactor, [0, 1, 2])
  func smallWindows(seed: Int, tiles: Int) throws {
    let configuration = Configuration(seed: UInt64(1_000 + seed))
    let comment = Comment(rawValue: "\(configuration)")
    let job = configuration.job
    let tile = Plan(job: job, vrankCount: 1, blocks: job.blocksUnknown).packedTileBytes
    let wide = try #require(configuration.run(), comment)
    let narrow = try #require(configuration.run(windowBytes: max(1, tiles * tile)), comment)
    #expect(narrow.breach == nil && narrow.status.summary.state == .done, comment)
    #expect(narrow.tensors.output == wide.tensors.output, comment)
    #expect(narrow.tensors.logSumExp == wide.tensors.logSumExp, comment)
  }

  static let named = [
    ("7 tokens on 2 workers", job(tokens: 7, heads: 4, keyHeads: 2, dimension: 33), 2),
    ("2,999 tokens on 4 workers", job(tokens: 2_999, heads: 4, keyHeads: 2, dimension: 64), 4),
    ("28 heads on 8 workers", job(tokens: 700, heads: 28, keyHeads: 4, dimension: 16), 8),
  ]

  @Test("the named shapes, in both layouts and under both masks", arguments: named)
  func namedJobs(name: String, job: AttentionJob, workers: Int) throws {
    for layout in Layout.allCases {
      for mask in [MaskRule.full, .causal] {
        var job = job
        job.layout = layout
        job.mask = mask
        try check(Configuration(job: job, workers: workers, lateMaxima: mask == .full, seed: 7))
      }
    }
  }

  private static func job(
    tokens: Int, heads: Int, keyHeads: Int, dimension: Int
  ) -> AttentionJob {
    AttentionJob(
      batch: 1, queryHeads: heads, keyValueHeads: keyHeads, queryTokens: tokens,
      keyTokens: tokens, headDimension: dimension, element: .float32, mask: .causal,
      scale: 1 / Float(dimension).squareRoot(), layout: .contiguous)
  }

  private func check(_ configuration: Configuration) throws {
    let comment = Comment(rawValue: "\(configuration)")
    let outcome = try #require(configuration.run(), "came to rest; \(comment)")
    let status = outcome.status
    #expect(status.summary.state == .done, "\(status.summary.reason); \(comment)")
    #expect(outcome.breach == nil, comment)
    #expect(outcome.tileBytes == status.neededBytes, comment)
    #expect(status.outputDigest == SHA256.hash(outcome.tensors.output), comment)
    #expect(status.logSumExpDigest == SHA256.hash(outcome.tensors.logSumExp), comment)
    let truth = Truth(configuration, vranks: status.vrankCount, tensors: outcome.tensors)
    let violation = truth.violation
    #expect(violation == nil, comment)
    let alone = try #require(configuration.alone.run(), "alone; \(comment)")
    #expect(alone.tensors.output == outcome.tensors.output, comment)
    #expect(alone.tensors.logSumExp == outcome.tensors.logSumExp, comment)
  }
}
