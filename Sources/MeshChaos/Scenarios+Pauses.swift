/// C4 and C5: processes stop, and go on as if nothing had happened.
extension ChaosScenario {
  static let pauses: [ChaosScenario] = [
    ChaosScenario(
      "C4", "pause-too-short-to-be-missed",
      [.ring(1), .ring(0), .ring(3)].enumerated().flatMap { index, target in
        [
          ChaosStep(.folded(0.15 + 0.25 * Double(index)), [.pause([target])]),
          ChaosStep(.after(.milliseconds(300)), [.resume([.same])]),
        ]
      }
    ) { $0.expectation.unseen = ["worker-lost"] },
    ChaosScenario(
      "C4", "pause-2-s",
      [
        ChaosStep(.folded(0.1), [.pause([.ring(2)])]),
        ChaosStep(.after(.seconds(2)), [.resume([.same])]),
      ]
    ) {
      $0.expectation.seen = ["worker-lost", "rehosted"]
      $0.job = .long
    },
    ChaosScenario(
      "C4", "pause-all-10-s",
      [
        ChaosStep(.folded(0.3), [.pause([.everyWorker])]),
        ChaosStep(.after(.seconds(10)), [.resume([.same])]),
      ]
    ) { $0.expectation.seen = ["worker-lost"] },
    ChaosScenario(
      "C4", "pause-the-coordinator",
      [
        ChaosStep(.folded(0.2), [.pause([.coordinator])]),
        ChaosStep(.after(.milliseconds(500)), [.resume([.coordinator])]),
        ChaosStep(.folded(0.5), [.pause([.coordinator])]),
        ChaosStep(.after(.milliseconds(1_500)), [.resume([.coordinator])]),
      ]
    ) {
      // It was late itself: no reason to doubt anybody.
      $0.expectation.unseen = ["worker-lost"]
      $0.job = .long
    },
    ChaosScenario(
      "C5", "zombie-goes-on",
      [
        ChaosStep(.folded(0.1), [.pause([.ring(1)])]),
        ChaosStep(.event("restored"), [.resume([.same])]),
      ]
    ) {
      $0.expectation.seen = ["worker-lost", "rehosted"]
      $0.job = .long
    },
    ChaosScenario(
      "C5", "zombies-take-turns",
      [
        ChaosStep(.folded(0.1), [.pause([.ring(0)])]),
        ChaosStep(.event("restored"), [.resume([.same])]),
        ChaosStep(.event("worker-joined"), [.pause([.heir])]),
        ChaosStep(.event("restored"), [.resume([.same])]),
      ]
    ) {
      $0.expectation.seen = ["worker-lost", "rehosted"]
      $0.job = .long
    },
  ]
}
