import MeshCore
import Testing

/// A host stops at a boundary, copies what it has, and says so.
@Suite struct WorkerHandOverTests {
  private func stopped(hasSlots: Bool = false, holder: Int? = 1) throws -> WorkerHarness {
    let worker = WorkerCopyTests.worker(keyTiles: 64, hasSlots: hasSlots, holder: holder)
    worker.deliverStore()
    worker.foldNext()
    try #require(worker.folding.count == Limits.foldsOutstanding)
    worker.adopt { $0[0].duty = .handOver }
    return worker
  }

  private func isHandedOver(_ worker: WorkerHarness) -> Bool {
    worker.progress()?.isHandedOver ?? false
  }

  @Test("no new fold begins; those under way are waited for, then copied, then it is handed over")
  func handOver() throws {
    let worker = try stopped()
    let last = try #require(worker.folding.last?.tiles.upperBound)
    #expect(!isHandedOver(worker))
    while worker.foldNext() {
      #expect(!isHandedOver(worker) && worker.folds.isEmpty)
    }
    #expect(worker.progress()?.next == last)
    // A snapshot from before may be under way: its successor has all.
    if worker.snapshots.isEmpty {
      let earlier = try #require(
        worker.history.firstNonNil { effect -> Int? in
          if case .job(_, .copy(.snapshot(_, _, let next, _))) = effect { return next }
          return nil
        })
      worker.snapshotTaken(next: earlier)
      worker.acknowledgeCopy()
    }
    #expect(worker.snapshots.map(\.next) == [last])
    worker.snapshotTaken(next: last)
    #expect(!isHandedOver(worker))
    worker.acknowledgeCopy()
    #expect(isHandedOver(worker) && worker.progress()?.copied == last)
    #expect(worker.lastBeat?.progress.first?.isHandedOver == true, "told at once")
    worker.send(.tick, after: .seconds(1))
    #expect(worker.folds.isEmpty && worker.snapshots.isEmpty)
  }

  @Test("a checkpoint doesn't count while the copy for the next host is on its way")
  func diskFirst() throws {
    let worker = try stopped(hasSlots: true)
    worker.foldAll()
    var rounds = 0
    while rounds < 3, !isHandedOver(worker) {
      rounds += 1
      guard let next = worker.lastSnapshotNext else { break }
      worker.snapshotTaken(next: next)
      let copies = worker.copies
      for write in worker.writes { worker.persisted(slot: write.slot, next: write.next) }
      if next == worker.progress()?.next {
        #expect(worker.progress()?.durable == next && !isHandedOver(worker))
      }
      for (header, source) in copies {
        worker.send(.copyReceipt(header.receipt(.ok), from: source))
      }
    }
    #expect(isHandedOver(worker) && worker.progress()?.copied == worker.progress()?.next)
  }

  @Test("with nobody to hold it the checkpoint is what is handed over")
  func diskOnly() throws {
    let worker = try stopped(hasSlots: true, holder: nil)
    worker.foldAll()
    var rounds = 0
    while rounds < 3, !isHandedOver(worker) {
      rounds += 1
      guard let next = worker.lastSnapshotNext else { break }
      worker.snapshotTaken(next: next)
      for write in worker.writes { worker.persisted(slot: write.slot, next: write.next) }
    }
    #expect(isHandedOver(worker) && worker.progress()?.durable == worker.progress()?.next)
  }

  @Test("a holder that takes nothing doesn't keep it for ever, where there is a checkpoint")
  func deafHolder() throws {
    let worker = try stopped(hasSlots: true)
    worker.foldAll()
    for _ in 0..<60 where !isHandedOver(worker) {
      if let next = worker.lastSnapshotNext { worker.snapshotTaken(next: next) }
      for write in worker.writes { worker.persisted(slot: write.slot, next: write.next) }
      worker.send(.tick, after: Limits.copyTimeout)
    }
    #expect(isHandedOver(worker) && worker.progress()?.copied == 0)
  }

  @Test("a rank of which nothing is folded is handed over at once")
  func nothingFolded() {
    let worker = WorkerCopyTests.worker()
    worker.adopt { $0[0].duty = .handOver }
    #expect(isHandedOver(worker))
    worker.deliverStore()
    #expect(worker.folding.isEmpty)
  }

  @Test("a rank whose result is on its way is not handed over: it will be final")
  func finishing() {
    let worker = WorkerCopyTests.worker(keyTiles: 2, queryTiles: 1)
    worker.deliverStore()
    worker.foldAll()
    worker.finish()
    worker.adopt { $0[0].duty = .handOver }
    #expect(!isHandedOver(worker))
    worker.receipt(0)
    worker.receipt(-1)
    #expect(!isHandedOver(worker))
    #expect(
      worker.history.contains { if case .job(_, .step(.retire)) = $0 { true } else { false } })
  }

  @Test("asked to go on after all, it folds on from where it stopped")
  func goesOn() throws {
    let worker = try stopped()
    worker.foldAll()
    let next = worker.progress()?.next
    worker.adopt { $0[0].duty = .fold }
    #expect(worker.folding.first?.tiles.lowerBound == next && !isHandedOver(worker))
  }
}

extension WorkerHarness {
  /// Of the last snapshot that was asked for and is not reported yet, as far as the history tells.
  var lastSnapshotNext: Int? {
    var next: Int?
    for effect in history {
      if case .job(_, .copy(.snapshot(_, _, let asked, _))) = effect { next = asked }
    }
    return next
  }
}
