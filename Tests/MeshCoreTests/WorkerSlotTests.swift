import MeshCore
import Testing

/// Checkpoints on disk.
@Suite struct WorkerSlotTests {
  private func worker(holder: Int? = nil) throws -> WorkerHarness {
    let worker = WorkerCopyTests.worker(keyTiles: 90, hasSlots: true, holder: holder)
    worker.deliverStoreAtOnce()
    try nextSnapshot(worker)
    return worker
  }

  private func nextSnapshot(_ worker: WorkerHarness) throws {
    while worker.snapshots.isEmpty { try #require(worker.foldNext()) }
  }

  @Test("the two slots of a rank are written in turn: the older one is overwritten")
  func inTurn() throws {
    let worker = try worker()
    var slots: [Int] = []
    for _ in 0..<5 {
      let next = worker.snapshots[0].next
      worker.snapshotTaken(next: next)
      let write = try #require(worker.writes.first)
      #expect(write.next == next && write.first == 0)
      slots.append(write.slot)
      worker.persisted(slot: write.slot, next: next)
      #expect(worker.progress()?.durable == next)
      if worker.snapshots.isEmpty { try nextSnapshot(worker) }
    }
    #expect(slots == [0, 1, 0, 1, 0])
  }

  @Test("only what changed since the slot was last written is written to it")
  func suffix() throws {
    let worker = WorkerCopyTests.worker(
      keyTiles: 32, queryTiles: 128, hasSlots: true, holder: nil, mask: .causal)
    worker.deliverStoreAtOnce()
    var written = [0, 0]
    for _ in 0..<5 {
      try nextSnapshot(worker)
      let taken = worker.snapshots[0]
      worker.snapshotTaken(next: taken.next)
      let write = try #require(worker.writes.first)
      #expect(write.first == 4 * written[write.slot] && taken.first == write.first)
      written[write.slot] = taken.next
      worker.persisted(slot: write.slot, next: taken.next)
    }
  }

  @Test("memory and disk take the same snapshot, which goes when both have it")
  func both() throws {
    let worker = try worker(holder: 1)
    let next = worker.snapshots[0].next
    worker.snapshotTaken(next: next)
    #expect(!worker.copies.isEmpty && worker.writes.count == 1)
    worker.acknowledgeCopy()
    #expect(worker.progress()?.copied == next && worker.progress()?.durable == 0)
    func isDropped() -> Bool {
      worker.history.contains { if case .job(_, .copy(.dropSnapshot)) = $0 { true } else { false } }
    }
    #expect(!isDropped())
    worker.persisted(slot: 0, next: next)
    #expect(isDropped() && worker.progress()?.durable == next)
  }

  @Test("a disk that fails is told of, the rank goes on, and it is tried again after 10 s")
  func failure() throws {
    let worker = try worker(holder: 1)
    let next = worker.snapshots[0].next
    worker.snapshotTaken(next: next)
    worker.send(
      .persistFailed(VRank(0), worker.epoch(of: 0), reason: "the disk is full"))
    guard case .alarm(worker.job, VRank(0), let reason)? = worker.words.first else {
      Issue.record("no alarm")
      return
    }
    #expect(reason.contains("the disk is full") && worker.words.count == 1)
    worker.acknowledgeCopiesOfLastSnapshot(next: next)
    #expect(worker.progress()?.copied == next && worker.progress()?.durable == 0)
    // Copies go on in memory only.
    try nextSnapshot(worker)
    let second = worker.snapshots[0].next
    worker.snapshotTaken(next: second)
    #expect(worker.writes.isEmpty && !worker.copies.isEmpty)
    worker.acknowledgeCopy()
    worker.send(.tick, after: Limits.slotRetryInterval)
    try nextSnapshot(worker)
    worker.snapshotTaken(next: worker.snapshots[0].next)
    #expect(worker.writes.map(\.first) == [0], "the old ones are lost")
    worker.persisted(slot: worker.writes[0].slot, next: worker.writes[0].next)
    #expect((worker.progress()?.durable ?? 0) > second)
  }

  @Test("with the disk failing and nobody to hold copies no snapshots are taken in vain")
  func failureAlone() throws {
    let worker = try worker()
    worker.snapshotTaken(next: worker.snapshots[0].next)
    worker.send(
      .persistFailed(VRank(0), worker.epoch(of: 0), reason: "I/O error"))
    worker.forgetHistory()
    worker.foldAll()
    #expect(
      !worker.history.contains { if case .job(_, .copy(.snapshot)) = $0 { true } else { false } })
    #expect(worker.progress()?.next == 90)
  }

  @Test("words of another epoch, slot or rank change nothing")
  func strange() throws {
    let worker = try worker()
    let next = worker.snapshots[0].next
    worker.snapshotTaken(next: next)
    let epoch = worker.epoch(of: 0)
    let events: [JobEvent] = [
      .persisted(VRank(0), .lowest, slot: 0, next: next, cost: .zero),
      .persisted(VRank(0), epoch, slot: 1, next: next, cost: .zero),
      .persisted(VRank(3), epoch, slot: 0, next: next, cost: .zero),
      .persistFailed(VRank(0), .lowest, reason: "stale"),
      .snapshotTaken(VRank(0), epoch, next: next, cost: .zero),
      .snapshotTaken(VRank(0), epoch, next: next + 1, cost: .zero),
    ]
    for event in events {
      worker.send(event)
      #expect(worker.effects.isEmpty, "\(event)")
    }
    let written = JobEvent.persisted(VRank(0), epoch, slot: 0, next: next, cost: .zero)
    worker.send(.job(JobID(high: 9, low: 9), written))
    #expect(worker.effects.isEmpty, "of another job")
    #expect(worker.progress()?.durable == 0)
  }
}

extension WorkerHarness {
  /// The holder acknowledges all messages of a copy that were sent some events ago.
  func acknowledgeCopiesOfLastSnapshot(next: Int) {
    var sent = history.compactMap { effect -> (CopyHeader, Worker.Source)? in
      guard case .job(_, .copy(.sendCopy(let header, let source))) = effect, header.next == next
      else {
        return nil
      }
      return (header, source)
    }
    while !sent.isEmpty {
      let (header, source) = sent.removeFirst()
      send(.copyReceipt(header.receipt(.ok), from: source))
      sent += copies.map { ($0.header, $0.source) }
    }
  }
}
