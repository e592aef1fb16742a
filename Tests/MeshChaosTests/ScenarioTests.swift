import Foundation
import MeshChaos
import MeshCore
import Testing

@Suite struct ScenarioTests {
  private let all = ChaosScenario.quick

  @Test func namesAreUnique() {
    #expect(Set(all.map(\.title)).count == all.count)
  }

  /// Every kind of the matrix that needs no container, and faults enough.
  @Test func listCoversTheMatrix() {
    let kinds = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15, 18, 19, 20, 25].map { "C\($0)" }
    #expect(kinds.filter { kind in !all.contains { $0.matrix == kind } } == [])
    let everywhere = all.filter(\.requirements.isEmpty)
    #expect(everywhere.reduce(0) { $0 + $1.faultCount } >= 60)
  }

  @Test func patterns() {
    #expect(all.filter { $0.matches("C1") }.allSatisfy { $0.matrix == "C1" })
    #expect(all.contains { $0.matches("C1-kill-*") })
    #expect(!all.contains { $0.matches("kill") })
  }

  /// Every fault is a change of every file, and the same seed makes the same.
  @Test(arguments: CheckpointDamage.allCases)
  func damageOfCheckpoints(damage: CheckpointDamage) throws {
    var found: [[String: Data]] = []
    for _ in 0..<2 {
      let scratch = try Scratch()
      for name in ["a", "b", "c"] {
        let bytes = Data(repeating: name.utf8.first ?? 0, count: 10_000)
        try bytes.write(to: URL(fileURLWithPath: "\(scratch.path)/\(name)"))
      }
      var random = SplitMix64(seed: 5)
      #expect(try damage.apply(to: scratch.path, random: &random) == 3)
      var files: [String: Data] = [:]
      for name in scratch.names {
        files[name] = FileManager.default.contents(atPath: "\(scratch.path)/\(name)")
      }
      found.append(files)
    }
    #expect(found[0] == found[1])
    for name in ["a", "b", "c"] {
      #expect(found[0][name] != Data(repeating: name.utf8.first ?? 0, count: 10_000))
    }
  }
}
