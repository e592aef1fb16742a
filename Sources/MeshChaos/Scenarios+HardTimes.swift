/// C18 to C20 and C25: jobs that kill, slow machines, restarts of everything, lost calls.
extension ChaosScenario {
  /// Every worker fails at the same fold, one after the other.
  private static func poison(_ name: String, _ variables: [String: String]) -> ChaosScenario {
    ChaosScenario(
      "C18", name,
      [
        ChaosStep(.ended(.worker(1)), []),
        ChaosStep(.after(.milliseconds(500)), [.start([.worker(2)])]),
        ChaosStep(.ended(.worker(2)), []),
        ChaosStep(.after(.milliseconds(500)), [.start([.worker(3)])]),
        ChaosStep(.ended(.worker(3)), []),
        ChaosStep(.after(.milliseconds(500)), [.start([.worker(4)])]),
      ]
    ) { scenario in
      scenario.workers = 1
      scenario.equipment = [ChaosMesh.Equipment(variables)]
      scenario.expectation.outcome = .failed("in a row")
    }
  }

  static let hardTimes: [ChaosScenario] = [
    poison("poison", ["ATTNMESH_FAILPOINT": "fold:abort:2", "SWIFT_BACKTRACE": "enable=no"]),
    // A process that tells how it crashed is silent for seconds before its connections break.
    poison("poison-with-last-words", ["ATTNMESH_FAILPOINT": "fold:abort:2"]),
    ChaosScenario(
      "C19", "straggler-4-times",
      [
        ChaosStep(
          .folded(0.1),
          [.straggle([.ring(1)], run: .milliseconds(30), stop: .milliseconds(90))])
      ]
    ) { $0.expectation.unseen = ["worker-lost"] },
    ChaosScenario(
      "C19", "straggler-20-times",
      [
        ChaosStep(
          .folded(0.1),
          [.straggle([.ring(2)], run: .milliseconds(10), stop: .milliseconds(190))]),
        ChaosStep(.after(.seconds(4)), [.relieve]),
      ]
    ) { $0.expectation.unseen = ["worker-lost"] },
    ChaosScenario(
      "C19", "all-straggle",
      [
        ChaosStep(
          .folded(0.2),
          [.straggle([.everyWorker], run: .milliseconds(50), stop: .milliseconds(150))]),
        ChaosStep(.after(.seconds(3)), [.relieve]),
      ]
    ) { $0.expectation.unseen = ["worker-lost"] },
    ChaosScenario(
      "C19", "busy-machine",
      [
        ChaosStep(.folded(0.1), [.burden(threads: 8)]),
        ChaosStep(.folded(0.5), [.kill([.ring(1)])]),
        ChaosStep(.after(.seconds(2)), [.relieve]),
      ]),
    ChaosScenario(
      "C19", "too-busy-to-be-sure",
      [
        ChaosStep(.folded(0.1), [.burden(threads: 8)]),
        ChaosStep(.after(.seconds(4)), [.relieve]),
      ]
    ) { $0.expectation.unseen = ["worker-lost"] },
    ChaosScenario(
      "C20", "rolling-restart",
      (1...3).flatMap { number in
        [
          ChaosStep(
            number == 1 ? .folded(0.1) : .event("worker-joined"), [.drain([.worker(number)])]),
          ChaosStep(.ended(.worker(number)), [.start([.worker(number)])]),
        ]
      } + [
        ChaosStep(.event("worker-joined"), [.drain([.coordinator])]),
        ChaosStep(.ended(.coordinator), [.start([.coordinator])]),
      ]
    ) {
      $0.workers = 3
      $0.job = .long
      $0.expectation.unseen = ["worker-lost"]
    },
  ]

  static let calls: [ChaosScenario] = [
    ChaosScenario("C25", "calls-lost", [ChaosStep(.folded(0.4), [.kill([.ring(1)])])]) {
      $0.equipment = [
        ChaosMesh.Equipment(
          ["ATTNMESH_SHIM": "drop=5,duplicate=20,seed=11"], for: .coordinator)
      ]
    }
  ]
}
