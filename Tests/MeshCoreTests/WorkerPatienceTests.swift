import MeshCore
import Testing

/// A disk that blocks and gives no error, as a file server that went away.
@Suite struct WorkerPatienceTests {
  /// As long as a disk is waited for, for states as small as these.
  private let patience = Limits.slotTimeout + .seconds(1)

  /// One rank, whose first snapshot is being written and, with a holder, is in its memory already.
  private func writing(holder: Int?) throws -> WorkerHarness {
    let worker = WorkerCopyTests.worker(keyTiles: 90, hasSlots: true, holder: holder)
    worker.deliverStoreAtOnce()
    try nextSnapshot(worker)
    worker.snapshotTaken(next: worker.snapshots[0].next)
    #expect(worker.writes.map(\.slot) == [0])
    worker.acknowledgeCopy()
    return worker
  }

  /// Folds until a snapshot is asked for, if the last event didn't.
  private func nextSnapshot(_ worker: WorkerHarness) throws {
    while worker.snapshots.isEmpty { try #require(worker.foldNext()) }
  }

  /// Takes the snapshots asked for with the last event, and with what follows from them, to the holder's
  /// memory, and to no slot.
  private func copyToMemory(_ worker: WorkerHarness) {
    while let next = worker.snapshots.first?.next {
      worker.snapshotTaken(next: next)
      #expect(worker.writes.isEmpty && !worker.copies.isEmpty)
      worker.acknowledgeCopy()
      #expect(worker.progress()?.copied == next && worker.progress()?.durable == 0)
    }
  }

  private func alarms(_ worker: WorkerHarness) -> [String] {
    worker.words.compactMap { if case .alarm(_, _, let reason) = $0 { reason } else { nil } }
  }

  @Test("a write that doesn't end is left with one alarm, and copies go on in memory")
  func write() throws {
    let worker = try writing(holder: 1)
    let first = try #require(worker.progress()?.copied)
    worker.foldNext()
    worker.send(.tick, after: Limits.slotTimeout - .milliseconds(100))
    #expect(alarms(worker) == [] && worker.snapshots.isEmpty)
    worker.send(.tick, after: .seconds(1))
    #expect(alarms(worker).count == 1 && alarms(worker)[0].contains("isn't written after 10."))
    for _ in 0..<3 {
      try nextSnapshot(worker)
      copyToMemory(worker)
      worker.send(.tick, after: patience)
      #expect(alarms(worker) == [])
    }
    // Late as it is, it is on disk now; and the disk can be given more.
    worker.persisted(slot: 0, next: first)
    #expect(worker.progress()?.durable == first)
    try nextSnapshot(worker)
    worker.snapshotTaken(next: worker.snapshots[0].next)
    #expect(worker.writes.map(\.slot) == [1])
  }

  @Test("a write that fails after all is told of, and tried again later")
  func lateFailure() throws {
    let worker = try writing(holder: 1)
    worker.send(.tick, after: patience)
    try nextSnapshot(worker)
    copyToMemory(worker)
    worker.send(
      .persistFailed(VRank(0), worker.epoch(of: 0), reason: "I/O error"))
    #expect(alarms(worker).count == 1)
    try nextSnapshot(worker)
    copyToMemory(worker)
    worker.send(.tick, after: Limits.slotRetryInterval)
    try nextSnapshot(worker)
    worker.snapshotTaken(next: worker.snapshots[0].next)
    #expect(worker.writes.map(\.slot) == [0])
  }

  @Test("a rank that is to be handed over doesn't wait for the disk for ever")
  func handOver() throws {
    let worker = try writing(holder: 1)
    worker.foldNext()
    worker.adopt { $0[0].duty = .handOver }
    worker.foldAll()
    #expect(worker.progress()?.isHandedOver == false && worker.snapshots.isEmpty)
    worker.send(.tick, after: patience)
    let next = try #require(worker.progress()?.next)
    #expect(worker.snapshots.map(\.next) == [next])
    worker.snapshotTaken(next: next)
    worker.acknowledgeCopy()
    #expect(worker.progress()?.isHandedOver == true)
  }

  /// Four workers; this one is given rank 1 of peer 1, of which nobody's memory has a copy.
  private func reading() -> WorkerHarness {
    let plan = Plan(job: sampleJob(queries: 5_120, keys: 3_328, mask: .full), vrankCount: 4)
    let worker = WorkerHarness(hasSlots: true)
    worker.assign(plan, hosts: [0, 1, 2, 3], peers: 4)
    worker.adopt {
      $0[1] = Assignment.Host(
        peer: 0, epoch: Epoch(term: 1, counter: 20), sources: [], isFresh: false)
    }
    return worker
  }

  @Test("a checkpoint that isn't read is left, and what comes of it later doesn't count")
  func read() {
    let worker = reading()
    #expect(worker.asksSlot)
    func ends() -> Bool {
      worker.effects.contains {
        if case .job(_, .restore(.endLoad(VRank(1), _))) = $0 { true } else { false }
      }
    }
    worker.send(.tick, after: Limits.slotTimeout - .milliseconds(100))
    #expect(worker.restored(1) == nil && !ends())
    worker.send(.tick, after: .seconds(2))
    #expect(ends() && alarms(worker).count == 1 && !worker.asksSlot)
    #expect(worker.restored(1) == WorkerMessage.Restored(tier: .recompute, next: 0))
    let late = WorkerMessage.Restored(tier: .slot, next: 4)
    worker.send(.restored(VRank(1), worker.epoch(of: 1), late))
    #expect(worker.restored(1)?.tier == .recompute && worker.progress(1)?.next == 0)
  }

  @Test("a copy in its own memory is waited for: no disk has to do with it")
  func ownMemory() {
    let plan = Plan(job: sampleJob(queries: 5_120, keys: 3_328, mask: .full), vrankCount: 4)
    let worker = WorkerHarness(hasSlots: true)
    worker.assign(plan, hosts: [0, 1, 2, 3], peers: 4, holders: [nil, 0, nil, nil])
    worker.hold(1, next: 6, messages: 0..<20, epoch: 2)
    worker.adopt {
      $0[1] = Assignment.Host(
        peer: 0, epoch: Epoch(term: 1, counter: 20), sources: [0], isFresh: false)
    }
    #expect(worker.asksHeld)
    worker.send(.tick, after: patience * 10)
    #expect(worker.restored(1) == nil && !worker.asksSlot)
    let found = WorkerMessage.Restored(tier: .memory, next: 6)
    worker.send(.restored(VRank(1), worker.epoch(of: 1), found))
    #expect(worker.restored(1) == found)
  }
}
