/// C14 and C15: the coordinator dies, and comes back to its store.
extension ChaosScenario {
  static let coordinators: [ChaosScenario] = [
    ChaosScenario(
      "C14", "kill-three-times",
      [0.1, 0.45, 0.8].map {
        ChaosStep(.folded($0), [.kill([.coordinator]), .start([.coordinator])])
      }
    ) { $0.job = .long },
    ChaosScenario(
      "C14", "kill-with-results-on-their-way",
      [ChaosStep(.event("vrank-final"), [.kill([.coordinator]), .start([.coordinator])])]),
    ChaosScenario(
      "C14", "kill-with-a-worker",
      [
        ChaosStep(.folded(0.4), [.kill([.coordinator, .ring(1)]), .start([.coordinator])])
      ]),
    ChaosScenario(
      "C14", "kill-while-a-worker-is-replaced",
      [
        ChaosStep(.folded(0.3), [.kill([.ring(2)])]),
        ChaosStep(.event("rehosted"), [.kill([.coordinator]), .start([.coordinator])]),
      ]),
    dyingCoordinator("before-a-commit", "commit:kill:5"),
    dyingCoordinator("after-a-commit", "committed:kill:6"),
    ChaosScenario(
      "C15", "dead-3-s",
      [
        ChaosStep(.folded(0.2), [.kill([.coordinator])]),
        ChaosStep(.after(.seconds(3)), [.start([.coordinator])]),
      ]),
    ChaosScenario(
      "C15", "worker-lost-meanwhile",
      [
        ChaosStep(.folded(0.2), [.kill([.coordinator])]),
        ChaosStep(.after(.milliseconds(500)), [.kill([.ring(0)])]),
        ChaosStep(.after(.milliseconds(1_500)), [.start([.coordinator])]),
      ]),
    ChaosScenario(
      "C15", "all-lost-meanwhile",
      [
        ChaosStep(.folded(0.4), [.kill([.coordinator])]),
        ChaosStep(.after(.milliseconds(300)), [.kill([.everyWorker])]),
        ChaosStep(
          .after(.milliseconds(300)),
          [.start([.coordinator, .worker(5), .worker(6), .worker(7)])]),
      ]),
  ]

  private static func dyingCoordinator(_ name: String, _ failpoint: String) -> ChaosScenario {
    ChaosScenario(
      "C14", "die-\(name)",
      [
        ChaosStep(.ended(.coordinator), [.start([.coordinator])])
      ]
    ) { $0.equipment = [.failpoint(failpoint, for: .coordinator)] }
  }
}
