import MeshCore
import Testing

/// A holder that this worker can't reach, although the coordinator reaches both: every connection to
/// it breaks at once.
@Suite struct UnreachableHolderTests {
  /// Ticks pass; whatever is sent to the holder breaks the connection 50 ms later.
  ///
  /// - Returns: when snapshots were asked for, in milliseconds.
  private func pass(
    _ time: Duration, _ worker: WorkerHarness, folding: Bool = false
  ) -> [Int] {
    let tick = Duration.milliseconds(50)
    var snapshots: [Int] = []
    var passed = Duration.zero
    func look() {
      let asked = worker.snapshots
      for snapshot in asked {
        snapshots.append(Int(passed / .milliseconds(1)))
        worker.snapshotTaken(next: snapshot.next)
        let (isSent, writes) = (!worker.copies.isEmpty, worker.writes)
        for write in writes { worker.persisted(slot: write.slot, next: write.next) }
        if isSent {
          passed += tick
          worker.send(.sourceLost(peer(1)), after: tick)
          look()
        }
      }
    }
    look()
    while passed < time {
      passed += tick
      worker.send(.tick, after: tick)
      look()
      if folding {
        worker.foldNext()
        look()
      }
    }
    return snapshots
  }

  private func untilSnapshot(_ worker: WorkerHarness) throws {
    worker.deliverStoreAtOnce()
    while worker.snapshots.isEmpty { try #require(worker.foldNext()) }
  }

  @Test("it is tried again at once, and then after pauses that double up to four seconds")
  func backOff() throws {
    let worker = WorkerCopyTests.worker(keyTiles: 64)
    try untilSnapshot(worker)
    let times = pass(.seconds(60), worker)
    let gaps = zip(times, times.dropFirst()).map { $1 - $0 }
    #expect(gaps.first ?? .max <= 100, "\(gaps)")
    for (gap, pause) in zip(gaps.dropFirst(), [250, 500, 1_000, 2_000, 4_000, 4_000, 4_000]) {
      #expect((pause...pause + 150).contains(gap), "\(gap) for \(pause): \(gaps)")
    }
    #expect(times.count <= 20 && gaps.allSatisfy { $0 <= 4_150 }, "\(gaps)")
  }

  @Test("once it has a copy, the next break costs no pause")
  func reachedAgain() throws {
    let worker = WorkerCopyTests.worker(keyTiles: 64)
    try untilSnapshot(worker)
    _ = pass(.seconds(20), worker)
    while worker.snapshots.isEmpty { worker.send(.tick, after: .milliseconds(50)) }
    worker.snapshotTaken(next: worker.snapshots[0].next)
    worker.acknowledgeCopy()
    #expect((worker.progress()?.copied ?? 0) > 0)
    worker.send(.sourceLost(peer(1)))
    #expect(worker.snapshots.count == 1 && worker.progress()?.copied == 0)
  }

  @Test("another holder is no reason to wait")
  func anotherHolder() throws {
    let worker = WorkerCopyTests.worker(keyTiles: 64)
    try untilSnapshot(worker)
    _ = pass(.seconds(20), worker)
    let table = try #require(worker.core.run?.assignment)
    let third = Assignment.Peer(worker: WorkerID(incarnation: 3), endpoint: "3")
    worker.adopt(peers: table.peers + [third]) { $0[0].holder = 2 }
    #expect(worker.snapshots.map(\.first) == [0])
  }

  @Test("the rank folds on meanwhile, and its checkpoints are written as often as ever")
  func checkpointsGoOn() throws {
    let worker = WorkerCopyTests.worker(keyTiles: 64, hasSlots: true)
    try untilSnapshot(worker)
    _ = pass(.seconds(60), worker, folding: true)
    #expect(worker.progress()?.next == 64 && worker.progress()?.copied == 0)
    let written = worker.history.compactMap { effect -> Int? in
      if case .job(_, .copy(.persist(_, _, _, let next, _, _))) = effect { return next }
      return nil
    }
    #expect(written.count >= Limits.copiesOfARankMinimum, "\(written)")
    #expect(zip(written, written.dropFirst()).allSatisfy { $0 < $1 }, "\(written)")
  }

  @Test("a hand-over takes the checkpoint in its place, after a few tries")
  func handOver() throws {
    let worker = WorkerCopyTests.worker(keyTiles: 64, hasSlots: true)
    try untilSnapshot(worker)
    worker.adopt { $0[0].duty = .handOver }
    worker.foldAll()
    worker.snapshotTaken(next: try #require(worker.lastSnapshotNext))
    for write in worker.writes { worker.persisted(slot: write.slot, next: write.next) }
    worker.send(.sourceLost(peer(1)))
    #expect(worker.progress()?.isHandedOver == false)
    _ = pass(.seconds(5), worker)
    #expect(worker.progress()?.isHandedOver == true && worker.progress()?.copied == 0)
    #expect(worker.progress()?.durable == worker.progress()?.next)
  }

  @Test("without a disk a hand-over waits until the holder is there")
  func handOverWaits() throws {
    let worker = WorkerCopyTests.worker(keyTiles: 64)
    try untilSnapshot(worker)
    worker.adopt { $0[0].duty = .handOver }
    worker.foldAll()
    worker.snapshotTaken(next: try #require(worker.lastSnapshotNext))
    worker.send(.sourceLost(peer(1)))
    #expect(pass(.seconds(30), worker).count < 15)
    #expect(worker.progress()?.isHandedOver == false)
    while worker.snapshots.isEmpty { worker.send(.tick, after: .milliseconds(50)) }
    worker.snapshotTaken(next: worker.snapshots[0].next)
    worker.acknowledgeCopy()
    #expect(worker.progress()?.isHandedOver == true)
  }
}
