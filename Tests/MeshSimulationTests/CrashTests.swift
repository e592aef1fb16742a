import MeshSimulation
import Testing

/// A process dies in front of every effect of a run.
@Suite struct CrashTests {
  @Test("whoever carries out an effect dies in front of it, for each of them", arguments: [0, 1])
  func singles(seed: UInt64) async {
    check(await run(CrashEnumeration(seed: seed).singles()))
  }

  @Test("a second process dies while the first is recovered from")
  func doubles() async {
    check(await run(CrashEnumeration(seed: 0).doubles(count: 5_000)))
  }

  @Test("of a program with computed tiles", arguments: [0, 1, 2])
  func rehearsed(seed: UInt64) async {
    check(await run(CrashEnumeration(seed: seed, kind: .rehearsal).singles()))
    let result = await run(CrashEnumeration(seed: seed, kind: .rehearsal).doubles(count: 2_500))
    check(result)
    for item in Coverage.Item.ofRehearsals {
      #expect(result.coverage[item] > 0, "\(item.name): \(result.coverage[item])")
    }
  }

  /// Bits and all that must never be. That the job ends isn't asked here: where the host of a rank and the holder of
  /// its copies are lost together, gradients may wait without end (Documentation/programs.md).
  @Test("of gradients", arguments: [0, 1])
  func gradients(seed: UInt64) async {
    let result = await run(CrashEnumeration(seed: seed, kind: .gradients).doubles(count: 1_500))
    let unsafe = result.violations.filter { $0.violation?.invariant != .liveness }
    for run in unsafe.prefix(10) {
      Issue.record("run \(run.number): \(run.violation?.description ?? "")")
    }
    #expect(result.violations.count <= 15)
    for path in [Coverage.Path.later, .replayed, .revived, .tilesCopied] {
      #expect(result.coverage[.path(path)] > 0, "\(path.rawValue)")
    }
  }

  private func check(_ result: SimulationCampaign.Result) {
    for run in result.violations.prefix(10) {
      Issue.record("run \(run.number): \(run.violation?.description ?? "")")
    }
  }
}
