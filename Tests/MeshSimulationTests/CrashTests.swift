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
    check(await run(CrashEnumeration(seed: seed, rehearses: true).singles()))
    let result = await run(CrashEnumeration(seed: seed, rehearses: true).doubles(count: 2_500))
    check(result)
    for item in Coverage.Item.ofRehearsals {
      #expect(result.coverage[item] > 0, "\(item.name): \(result.coverage[item])")
    }
  }

  private func check(_ result: SimulationCampaign.Result) {
    for run in result.violations.prefix(10) {
      Issue.record("run \(run.number): \(run.violation?.description ?? "")")
    }
  }
}
