/// C6 to C8: the network fails.
extension ChaosScenario {
  /// A fault on links for a while.
  private static func cut(
    _ name: String, _ schedule: ProxySchedule, _ group: [ChaosTarget], _ others: [ChaosTarget],
    seconds: Double
  ) -> ChaosScenario {
    ChaosScenario(
      "C6", name,
      [
        ChaosStep(.folded(0.15), [.link(schedule, group, others)]),
        ChaosStep(.after(.seconds(seconds)), [.heal]),
      ]
    )
  }

  static let partitions: [ChaosScenario] = [
    cut("pair", .always(.blackHole), [.ring(0)], [.ring(1)], seconds: 2),
    cut("pair-one-way", .always(.stallToTarget), [.ring(1)], [.ring(2)], seconds: 2),
    cut("pair-other-way", .always(.stallToSource), [.ring(1)], [.ring(2)], seconds: 2),
    cut(
      "worker-and-coordinator", .always(.blackHole), [.ring(1)], [.coordinator], seconds: 2),
    cut(
      "worker-to-coordinator-one-way", .always(.stallToTarget), [.ring(2)], [.coordinator],
      seconds: 2),
    cut("worker-and-all", .always(.blackHole), [.ring(0)], [.everyoneElse], seconds: 3),
    cut("halves", .always(.blackHole), [.ring(0), .ring(1)], [.ring(2), .ring(3)], seconds: 2),
    cut("coordinator-and-all", .always(.blackHole), [.coordinator], [.everyWorker], seconds: 2),
    cut(
      "flapping", .flapping(.blackHole, period: .seconds(1)), [.ring(3)], [.everyoneElse],
      seconds: 4),
    cut(
      "pair-refused", .always(.refuse), [.ring(0)], [.ring(1), .ring(2)], seconds: 1),
  ]

  /// All links are like this from the beginning.
  private static func slow(
    _ name: String, _ faults: LinkFaults, _ group: [ChaosTarget] = [.everyWorker],
    _ others: [ChaosTarget] = [.everyWorker, .coordinator]
  ) -> ChaosScenario {
    ChaosScenario("C7", name, []) {
      $0.prelude = [.link(.always(faults), group, others)]
      $0.job = .wide
      $0.expectation.unseen = ["worker-lost"]
    }
  }

  static let links: [ChaosScenario] = [
    slow("delay-5-ms", .delay(.milliseconds(5), jitter: .milliseconds(5))),
    slow("delay-50-ms", .delay(.milliseconds(50), jitter: .milliseconds(20))),
    slow("delay-200-ms", .delay(.milliseconds(200), jitter: .milliseconds(50))),
    slow("narrow", .bandwidth(bytesPerSecond: 12_000_000)),
    slow("slices", .slice(bytesMaximum: 1_000)),
    slow("slices-of-control", .slice(bytesMaximum: 200), [.everyWorker], [.coordinator]),
    ChaosScenario(
      "C7", "resets",
      [0.1, 0.3, 0.5, 0.7, 0.9].map {
        ChaosStep(.folded($0), [.reset([.everyWorker], [.everyWorker])])
      }),
    ChaosScenario(
      "C7", "resets-of-control",
      [0.2, 0.6].map { ChaosStep(.folded($0), [.reset([.everyWorker], [.coordinator])]) }),
    // What a firewall that forgets, or an address that moves, does: nobody dies.
    ChaosScenario(
      "C7", "resets-of-all",
      (0..<33).map {
        ChaosStep(
          $0 == 0 ? .folded(0.1) : .after(.milliseconds(300)),
          [.reset([.everyWorker], [.everyWorker, .coordinator])])
      }
    ) {
      $0.job = .long
      $0.expectation.mayMissFaults = true
      $0.expectation.seen = ["connection-reset"]
      $0.expectation.unseen = ["worker-lost"]
    },
    ChaosScenario(
      "C7", "close-at-byte",
      [(0.1, 1), (0.25, 700), (0.4, 5_000), (0.6, 70_001)].flatMap { part, bytes in
        [
          ChaosStep(
            .folded(part),
            [.link(.always(.close(after: bytes)), [.everyWorker], [.everyWorker])]),
          ChaosStep(.after(.milliseconds(300)), [.heal]),
        ]
      }
    ) { $0.job = .long },
    ChaosScenario(
      "C7", "half-open",
      [
        ChaosStep(
          .folded(0.2),
          [.link(.always(.blackHole), [.ring(1)], [.everyoneElse]), .kill([.ring(1)])]),
        ChaosStep(.event("worker-lost"), [.heal]),
      ]),
  ]

  static let corruption: [ChaosScenario] = [
    ChaosScenario(
      "C8", "corrupt-tiles",
      [
        ChaosStep(
          .folded(0.1),
          [.link(.always(.corrupt(oneBitIn: 1_000_000)), [.everyWorker], [.everyWorker])]),
        ChaosStep(.after(.seconds(2)), [.heal]),
      ]
    ) { $0.job = .long },
    ChaosScenario(
      "C8", "corrupt-control",
      [
        ChaosStep(
          .folded(0.1),
          [.link(.always(.corrupt(oneBitIn: 5_000)), [.everyWorker], [.coordinator])]),
        ChaosStep(.after(.seconds(2)), [.heal]),
      ]
    ) { $0.job = .long },
    ChaosScenario("C8", "messages-lost-repeated-reordered", []) {
      $0.equipment = [
        ChaosMesh.Equipment(["ATTNMESH_SHIM": "drop=5,duplicate=5,reorder=5,seed=7"])
      ]
    },
  ]
}
