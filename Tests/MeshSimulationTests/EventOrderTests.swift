import AttentionKernels
import Checksums
import MeshCore
import MeshSimulation
import Testing

/// The order in which independent messages arrive must not matter.
@Suite struct EventOrderTests {
  @Test("a hundred orders of arrival end, keep the bounds, and give the same bits")
  func orders() throws {
    for number in UInt64(0)..<UInt64(100 * soakFactor) {
      // A new job every tenth order, of several tiles on several workers.
      let configuration = configuration(1 + number / 10)
      let plain = try #require(configuration.run(), "\(configuration)")
      let shuffled = configuration.run(order: number)
      let comment = Comment(rawValue: "order \(number); \(configuration)")
      let outcome = try #require(shuffled, "came to rest; \(comment)")
      #expect(outcome.status.summary.state == .done, comment)
      #expect(outcome.breach == nil, comment)
      #expect(outcome.tensors.output == plain.tensors.output, comment)
      #expect(outcome.tensors.logSumExp == plain.tensors.logSumExp, comment)
      // A worker that is asked before it knows of the job refers to the store, which is not counted.
      #expect(outcome.tileBytes <= outcome.status.neededBytes, comment)
    }
  }

  private func configuration(_ seed: UInt64) -> Configuration {
    var random = SplitMix64(seed: seed)
    let job = AttentionJob(
      batch: 1, queryHeads: 2, keyValueHeads: 1, queryTokens: 500 + random.below(3_000),
      keyTokens: 3_000 + random.below(9_000), headDimension: 4, element: .float32,
      mask: random.below(3) == 0 ? .full : .causal, scale: 0.5,
      layout: Layout.allCases[random.below(2)], vranks: random.below(2) == 0 ? 0 : 30)
    return Configuration(job: job, workers: 2 + random.below(6), seed: seed)
  }
}
