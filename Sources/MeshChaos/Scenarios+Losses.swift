/// C1 to C3: workers die.
extension ChaosScenario {
  static let losses: [ChaosScenario] = [
    ChaosScenario("C1", "kill-at-the-start", [ChaosStep(.now, [.kill([.ring(0)])])]),
    ChaosScenario("C1", "kill-the-first-early", [ChaosStep(.folded(0.08), [.kill([.ring(0)])])]),
    ChaosScenario("C1", "kill-in-the-middle", [ChaosStep(.folded(0.4), [.kill([.ring(1)])])]),
    ChaosScenario("C1", "kill-the-last-late", [ChaosStep(.folded(0.85), [.kill([.ring(-1)])])]),
    ChaosScenario(
      "C1", "kill-with-results-on-their-way",
      [ChaosStep(.event("vrank-final"), [.kill([.ring(-1)])])]),
    ChaosScenario(
      "C1", "kill-three-in-turn",
      [
        ChaosStep(.folded(0.15), [.kill([.ring(0)]), .start([.worker(5)])]),
        ChaosStep(.folded(0.4), [.kill([.ring(1)]), .start([.worker(6)])]),
        ChaosStep(.folded(0.7), [.kill([.ring(2)]), .start([.worker(7)])]),
      ]),
    dying("of-folds", ["fold:kill:30", "compute:kill:500", "snapshot:kill:3"]),
    dying("of-copies", ["send-copy:kill:5", "keep-copy:kill:9", "fold:abort:60"]),
    dying("of-results", ["finish:kill:1", "send-result:kill:9"]),
  ]

  /// Workers that die by themselves at places of their code, each replaced.
  private static func dying(_ name: String, _ failpoints: [String]) -> ChaosScenario {
    let numbers = 1...failpoints.count
    return ChaosScenario("C1", "die-\(name)", []) { scenario in
      scenario.equipment = zip(numbers, failpoints).map { .failpoint($1, for: .worker($0)) }
    }
  }

  static let lossesOfMany: [ChaosScenario] = [
    ChaosScenario(
      "C2", "kill-neighbours", [ChaosStep(.folded(0.3), [.kill([.ring(0), .ring(1)])])]),
    ChaosScenario(
      "C2", "kill-opposites", [ChaosStep(.folded(0.3), [.kill([.ring(0), .ring(2)])])]),
    ChaosScenario(
      "C2", "kill-host-and-holder",
      [ChaosStep(.folded(0.6), [.kill([.ring(2), .holder(ofRing: 2)])])]),
    ChaosScenario(
      "C2", "kill-three-of-four",
      [ChaosStep(.folded(0.5), [.kill([.ring(0), .ring(1), .ring(2)])])]),
    ChaosScenario(
      "C2", "kill-one-and-who-takes-over",
      [
        ChaosStep(.folded(0.3), [.kill([.ring(1)])]),
        ChaosStep(.event("rehosted"), [.kill([.heir])]),
      ]),
    ChaosScenario(
      "C2", "kill-one-and-who-has-restored-it",
      [
        ChaosStep(.folded(0.3), [.kill([.ring(3)])]),
        ChaosStep(.event("restored"), [.kill([.heir])]),
      ]),
    ChaosScenario(
      "C3", "kill-all",
      [
        ChaosStep(.folded(0.4), [.kill([.everyWorker])]),
        ChaosStep(.after(.seconds(1)), [.start([.worker(5), .worker(6), .worker(7)])]),
      ]
    ) { $0.expectation.tier = "checkpoint" },
    ChaosScenario(
      "C3", "kill-all-and-lose-the-disk",
      [
        ChaosStep(.folded(0.25), [.kill([.everyWorker]), .damage(.remove)]),
        ChaosStep(.after(.seconds(1)), [.start([.worker(5), .worker(6), .worker(7)])]),
      ]
    ) { $0.expectation.tier = "recomputed" },
  ]
}
