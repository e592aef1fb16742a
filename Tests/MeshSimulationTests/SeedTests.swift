import MeshCore
import MeshSimulation
import Testing

/// Whole meshes with faults, from seeds. A failure names its seed: `attnmesh simulate --trace --seed N`
/// tells the story.
@Suite struct SeedTests {
  @Test("ten thousand seeds keep every invariant and go everywhere")
  func invariants() async {
    let seeds = UInt64(1)..<1 + UInt64(10_000 * soakFactor)
    let result = await run(SimulationCampaign(.seeds(seeds)))
    for run in result.violations.prefix(10) {
      Issue.record("seed \(run.seed): \(run.violation?.description ?? "")")
    }
    #expect(result.share(\.hasFault) >= 0.9)
    #expect(result.share(\.hasRestore) >= 0.5)
    #expect(result.share(\.isPoisoned) < 0.01)
    #expect(result.medianDelivered >= 500)
    // Crashes in pairs go where seeds seldom do.
    for item in Coverage.Item.all where !Coverage.Item.ofRehearsals.contains(item) {
      #expect(result.coverage[item] >= 20, "\(item.name): \(result.coverage[item])")
    }
  }

  @Test("a seed gives the same run twice")
  func repeatable() async {
    let seeds = UInt64(1)..<101
    let first = await run(SimulationCampaign(.seeds(seeds)))
    let second = await run(SimulationCampaign(.seeds(seeds)))
    #expect(first.runs.map(\.traceHash) == second.runs.map(\.traceHash))
    #expect(first.coverage.counts == second.coverage.counts)
  }

  @Test("every defect is caught", arguments: Defect.allCases)
  func defects(defect: Defect) async {
    let campaign = SimulationCampaign(
      .seeds(1..<2_001), defect: defect, stopsAtViolation: true)
    let result = await run(campaign)
    #expect(!result.violations.isEmpty, "\(defect.rawValue) in \(result.runs.count) seeds")
  }

  /// Seeds that once found a bug, and what it was.
  static let regressions: [(seed: UInt64, story: String)] = [
    (623, "a table was announced that one without workers had replaced"),
    (9_632, "a worker that only kept copies was not missed when it was gone"),
    (4_289, "a shard that became another's was more than windows hold, and stayed so"),
    (6_929, "the same, with more of them"),
  ]

  @Test("seeds that once found a bug", arguments: regressions)
  func regression(seed: UInt64, story: String) {
    let outcome = SimulationCampaign.run(seed: seed, shapes: JobShapes())
    #expect(
      outcome.violation == nil, "\(story): seed \(seed), \(outcome.violation?.description ?? "")")
  }
}

/// Runs a campaign on two threads.
func run(_ campaign: SimulationCampaign) async -> SimulationCampaign.Result {
  await withTaskGroup(of: Void.self) { group in
    for _ in 0..<2 { group.addTask { campaign.work() } }
  }
  return campaign.result
}
