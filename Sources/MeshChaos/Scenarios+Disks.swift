/// C9 to C12: disks fail and lie, and so do clocks.
extension ChaosScenario {
  static let disks: [ChaosScenario] = [
    ChaosScenario(
      "C9", "no-room-for-checkpoints", [ChaosStep(.folded(0.6), [.kill([.ring(1)])])]
    ) {
      $0.checkpointBytes = 1 << 20
      $0.requirements = [.root]
      $0.expectation.seen = ["checkpoint-alarm"]
      $0.expectation.tier = "peer memory"
    },
    ChaosScenario(
      "C9", "checkpoints-fill-the-disk",
      [
        ChaosStep(.folded(0.1), [.fill(.checkpoints)]),
        ChaosStep(.folded(0.5), [.kill([.ring(0)]), .start([.worker(5)])]),
        ChaosStep(.folded(0.6), [.free(.checkpoints)]),
        ChaosStep(.folded(0.8), [.kill([.ring(2)])]),
      ]
    ) {
      $0.checkpointBytes = 128 << 20
      $0.requirements = [.root]
    },
    ChaosScenario("C9", "no-room-for-the-job", []) {
      $0.storeBytes = 16 << 20
      $0.requirements = [.root]
      $0.expectation.outcome = .refused("No space left")
    },
    ChaosScenario(
      "C9", "store-full-in-mid-run",
      [
        ChaosStep(.folded(0.2), [.fill(.store), .kill([.ring(0)])]),
        ChaosStep(.after(.seconds(2)), [.free(.store)]),
      ]
    ) {
      $0.storeBytes = 96 << 20
      $0.requirements = [.root]
      $0.expectation.seen = ["store-alarm"]
    },
  ]

  /// The checkpoints of a lost rank are damaged before anybody looks at them, and nobody has a copy.
  private static func damaged(_ damage: CheckpointDamage) -> ChaosScenario {
    ChaosScenario(
      "C10", "\(damage.rawValue)-of-checkpoints",
      [
        ChaosStep(
          .folded(0.5),
          [
            .pause([.coordinator]), .kill([.everyWorker]), .damage(damage),
            .resume([.coordinator]), .start([.worker(5), .worker(6), .worker(7)]),
          ])
      ])
  }

  static let checkpoints: [ChaosScenario] =
    CheckpointDamage.allCases.map(damaged) + [
      ChaosScenario("C11", "die-before-and-after-writing", []) {
        $0.equipment = [
          .failpoint("write-slot:kill:3", for: .worker(1)),
          .failpoint("slot-written:kill:4", for: .worker(2)),
        ]
      },
      ChaosScenario(
        "C11", "kill-all-while-they-write",
        [
          ChaosStep(.ended(.worker(4)), [.kill([.everyWorker])]),
          ChaosStep(.after(.milliseconds(500)), [.start([.worker(5), .worker(6), .worker(7)])]),
        ]
      ) { $0.equipment = [.failpoint("slot-written:kill:6", for: .worker(4))] },
    ]

  static let clocks: [ChaosScenario] = [
    ChaosScenario(
      "C12", "wall-clocks-differ",
      [
        ChaosStep(.folded(0.3), [.kill([.ring(1)])]),
        ChaosStep(.folded(0.4), [.kill([.coordinator]), .start([.coordinator])]),
      ]
    ) {
      // The coordinator's next clock is an hour behind its first one.
      $0.equipment = [(.coordinator, "3600"), (.worker(1), "-3600"), (.worker(3), "86400")].map {
        (member: MeshMember, offset) in
        ChaosMesh.Equipment(
          ["ATTNMESH_CLOCK_OFFSET": offset], for: member, isForAllStarts: false)
      }
    }
  ]
}
