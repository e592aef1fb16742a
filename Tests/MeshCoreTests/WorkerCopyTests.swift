import MeshCore
import Testing

/// Copies of a worker's own ranks: when, of what, and what becomes of them.
@Suite struct WorkerCopyTests {
  /// Two workers, one rank each; this one's copies go to peer 1. `keys` K/V tiles, all its own or
  /// of the store, so that folds never wait.
  static func worker(
    keyTiles: Int = 64, queryTiles: Int = 4, hasSlots: Bool = false, holder: Int? = 1,
    mask: MaskRule = .full
  ) -> WorkerHarness {
    let spec = sampleJob(
      queries: 64 * queryTiles, keys: 256 * keyTiles, dimension: 1, mask: mask)
    let plan = Plan(job: spec, vrankCount: 1)
    let worker = WorkerHarness(hasSlots: hasSlots)
    worker.assign(plan, hosts: [0], peers: 2, holders: [holder])
    return worker
  }

  /// What a run of the compute threads copied.
  struct Copied {
    var nexts: [Int] = []
    var firsts: [Int] = []
  }

  /// Folds to the end; every copy succeeds at once, and tiles and copies cost what is said.
  static func run(
    _ worker: WorkerHarness, tile: Duration, copy: Duration, delay: Int = 0
  ) -> Copied {
    var copied = Copied()
    var waiting: (next: Int, folds: Int)?
    var seen = worker.history.count
    func look() {
      while seen < worker.history.count {
        if case .job(_, .copy(.snapshot(_, _, let next, let first))) = worker.history[seen] {
          copied.nexts.append(next)
          copied.firsts.append(first)
          waiting = (next, delay)
        }
        seen += 1
      }
    }
    worker.deliverStore()
    look()
    var rounds = 0
    while rounds < 10_000 {
      rounds += 1
      if let (next, folds) = waiting, folds == 0 || worker.folding.isEmpty {
        waiting = nil
        worker.snapshotTaken(next: next, cost: copy)
        worker.acknowledgeCopy()
        look()
        continue
      }
      guard let fold = worker.folding.first else { break }
      worker.foldNext(cost: tile * fold.tiles.count)
      waiting?.folds -= 1
      look()
    }
    return copied
  }

  @Test("a rank is copied at least eight times, however dear a copy is")
  func atLeastEight() {
    for tiles in [32, 64, 100, 200] {
      let worker = Self.worker(keyTiles: tiles)
      let copied = Self.run(worker, tile: .milliseconds(1), copy: .seconds(10))
      #expect(copied.nexts.count >= Limits.copiesOfARankMinimum, "\(tiles): \(copied.nexts)")
      #expect(copied.nexts.count <= Limits.copiesOfARankMinimum + 3, "\(tiles): \(copied.nexts)")
    }
  }

  @Test("copies cost no more than 1.5 % of the time of the tiles they protect")
  func cost() {
    for (tile, copy) in [(10, 1.0), (10, 0.2), (10, 0.05), (1, 0.01), (100, 10)] {
      let worker = Self.worker(keyTiles: 512)
      let copied = Self.run(
        worker, tile: .milliseconds(tile), copy: .microseconds(Int64(copy * 1_000)))
      let share = Double(copied.nexts.count) * copy / Double(512 * tile)
      // The first one is made before anybody knows what it costs.
      let first = copy / Double(512 * tile)
      #expect(share - first <= Limits.copyCostMaximum, "\(tile) ms, \(copy) ms: \(share)")
      // And as often as that allows.
      #expect(copied.nexts.count >= min(200, Int(0.5 * 0.015 * 512 * Double(tile) / copy)))
    }
  }

  @Test("snapshots are taken where the compute threads will be: at the end of a fold asked for")
  func atBoundaries() {
    let worker = Self.worker(keyTiles: 100)
    var ends: Set<Int> = []
    _ = Self.run(worker, tile: .milliseconds(1), copy: .microseconds(10))
    for effect in worker.history {
      if case .job(_, .step(.fold(_, _, let tiles))) = effect { ends.insert(tiles.upperBound) }
      if case .job(_, .copy(.snapshot(_, _, let next, _))) = effect { #expect(ends.max() == next) }
    }
    #expect(ends.max() == 100)
  }

  @Test("one snapshot at a time, for all ranks of a worker, and each has its turn")
  func oneAtATime() {
    let spec = sampleJob(queries: 512, keys: 256 * 40, dimension: 1, mask: .full)
    let plan = Plan(job: spec, vrankCount: 4)
    let worker = WorkerHarness()
    worker.assign(plan, hosts: [0, 0, 0, 0], peers: 2, holders: [1, 1, 1, 1])
    var seen = 0
    var isOpen = false
    var waiting: (vrank: Int, next: Int)?
    var order: [Int] = []
    func look() {
      for effect in worker.history[seen...] {
        if case .job(_, .copy(.snapshot(let vrank, _, let next, _))) = effect {
          #expect(!isOpen, "two at a time")
          isOpen = true
          waiting = (vrank.index, next)
          order.append(vrank.index)
        }
        if case .job(_, .copy(.dropSnapshot)) = effect { isOpen = false }
      }
      seen = worker.history.count
    }
    worker.deliverStore()
    look()
    var rounds = 0
    while worker.foldNext(), rounds < 1_000 {
      rounds += 1
      look()
      // Each takes a few folds.
      if let taken = waiting, rounds % 3 == 0 {
        waiting = nil
        worker.snapshotTaken(vrank: taken.vrank, next: taken.next)
        worker.acknowledgeCopy()
        look()
      }
    }
    let counts = (0..<4).map { rank in order.count { $0 == rank } }
    #expect((counts.min() ?? 0) >= 4 && (counts.max() ?? 0) - (counts.min() ?? 0) <= 2, "\(order)")
  }

  @Test("a copy goes to its holder message by message, within its credit, and then counts")
  func push() throws {
    let worker = Self.worker(keyTiles: 16, queryTiles: 20)
    worker.deliverStoreAtOnce()
    while worker.snapshots.isEmpty { try #require(worker.foldNext()) }
    let taken = worker.snapshots[0]
    #expect(taken.first == 0 && worker.copies.isEmpty, "not before it is taken")
    worker.snapshotTaken(next: taken.next)
    #expect(worker.copies.map(\.header.message) == Array(0..<8))
    #expect(worker.copies.allSatisfy { $0.source == peer(1) && $0.header.next == taken.next })
    #expect(worker.copies.allSatisfy { $0.header.epoch == worker.epoch(of: 0) })
    let header = worker.copies[0].header
    for message in 0..<20 {
      #expect(worker.progress()?.copied == 0)
      var receipt = header.receipt(.ok)
      receipt.message = message
      worker.send(.copyReceipt(receipt, from: peer(1)))
      #expect(worker.copies.map(\.header.message) == (message < 12 ? [message + 8] : []))
    }
    #expect(worker.progress()?.copied == taken.next)
    #expect(worker.lastBeat?.progress.first?.copied == taken.next, "told at once")
    #expect(
      worker.effects.contains {
        if case .job(_, .copy(.dropSnapshot(VRank(0)))) = $0 { true } else { false }
      })
  }

  @Test("receipts of another copy, epoch, rank or worker change nothing")
  func strangeReceipts() throws {
    let worker = Self.worker(keyTiles: 16)
    worker.deliverStoreAtOnce()
    while worker.snapshots.isEmpty { try #require(worker.foldNext()) }
    worker.snapshotTaken(next: worker.snapshots[0].next)
    let header = worker.copies[0].header
    func receipt(_ change: (inout CopyReceipt) -> Void) -> CopyReceipt {
      var receipt = header.receipt(.ok)
      change(&receipt)
      return receipt
    }
    let strange = [
      receipt { $0.epoch = .lowest }, receipt { $0.next += 1 }, receipt { $0.vrank = VRank(1) },
      receipt { $0.vrank = VRank(.max) }, receipt { $0.message = 1 }, receipt { $0.message = -1 },
      receipt { $0.message = .max }, receipt { $0.job = JobID(high: 9, low: 9) },
    ]
    for receipt in strange {
      worker.send(.copyReceipt(receipt, from: peer(1)))
      #expect(worker.effects.isEmpty, "\(receipt)")
    }
    worker.send(.copyReceipt(header.receipt(.ok), from: .store))
    worker.send(.copyReceipt(header.receipt(.ok), from: peer(0)))
    #expect(worker.effects.isEmpty)
    worker.send(.copyReceipt(header.receipt(.ok), from: peer(1)))
    worker.send(.copyReceipt(header.receipt(.ok), from: peer(1)))
    #expect(worker.progress()?.copied == 0, "one message twice is not two")
  }

  @Test("what isn't acknowledged is sent again; a holder that takes nothing is left alone")
  func silentHolder() throws {
    let worker = Self.worker(keyTiles: 64)
    worker.deliverStoreAtOnce()
    while worker.snapshots.isEmpty { try #require(worker.foldNext()) }
    worker.snapshotTaken(next: worker.snapshots[0].next)
    let first = worker.copies[0].header
    worker.send(.copyReceipt(first.receipt(.ok), from: peer(1)))
    var tries = 1
    for _ in 0..<40 {
      worker.send(.tick, after: Limits.copyTimeout)
      guard let again = worker.copies.first else { break }
      // It may have dropped what it had: the second time it gets all of it.
      #expect(again.header.message == (tries == 1 ? 1 : 0) && again.header.next == first.next)
      tries += 1
    }
    #expect(tries == Limits.refusalsMaximum && worker.progress()?.copied == 0)
    #expect(
      worker.effects.contains { if case .job(_, .copy(.dropSnapshot)) = $0 { true } else { false } }
    )
    // The rank goes on, and so do its copies.
    worker.foldAll()
    #expect(
      worker.history.count { if case .job(_, .copy(.snapshot)) = $0 { true } else { false } } >= 2)
    #expect(worker.progress()?.next == 64)
  }

  @Test("a damaged message is sent again at once; a stale epoch ends the copy")
  func refusals() throws {
    let worker = Self.worker(keyTiles: 64)
    worker.deliverStoreAtOnce()
    while worker.snapshots.isEmpty { try #require(worker.foldNext()) }
    worker.snapshotTaken(next: worker.snapshots[0].next)
    let header = worker.copies[0].header
    worker.send(.copyReceipt(header.receipt(.dataLoss), from: peer(1)))
    #expect(worker.copies.first?.header == header)
    worker.send(.copyReceipt(header.receipt(.unavailable), from: peer(1)))
    #expect(worker.copies.isEmpty, "it doesn't know yet that it is the holder: in a while")
    worker.send(.tick, after: Limits.copyTimeout)
    #expect(worker.copies.first?.header == header)
    worker.send(.copyReceipt(header.receipt(.failedPrecondition), from: peer(1)))
    #expect(
      worker.effects.contains { if case .job(_, .copy(.dropSnapshot)) = $0 { true } else { false } }
    )
  }

  @Test("a stopped rank whose copies are refused, for another host has it, doesn't copy on and on")
  func refusedWhileStopped() throws {
    let worker = Self.worker(keyTiles: 16)
    worker.deliverStoreAtOnce()
    #expect(worker.foldNext())
    worker.adopt { $0[0].duty = .handOver }
    worker.foldAll()
    worker.snapshotTaken(next: try #require(worker.lastSnapshotNext))
    let header = try #require(worker.copies.first?.header)
    worker.send(.copyReceipt(header.receipt(.failedPrecondition), from: peer(1)))
    #expect(worker.snapshots.isEmpty)
    worker.send(.tick, after: Limits.copyTimeout)
    #expect(worker.snapshots.count == 1, "in a while it tries again")
  }

  @Test("after a whole copy only what still changes is sent; a holder that lost it gets all")
  func suffix() throws {
    // Causal: 32 query tiles, four to a K/V tile.
    let worker = Self.worker(keyTiles: 8, queryTiles: 32, mask: .causal)
    let copied = Self.run(worker, tile: .milliseconds(10), copy: .zero)
    #expect(copied.nexts.count >= 4 && copied.firsts.first == 0)
    for (before, first) in zip(copied.nexts, copied.firsts.dropFirst()) {
      #expect(first == 4 * before, "rows of the first \(before) tiles see no further key")
    }
    let other = Self.worker(keyTiles: 8, queryTiles: 32, mask: .causal)
    other.deliverStoreAtOnce()
    while other.snapshots.isEmpty { try #require(other.foldNext()) }
    other.snapshotTaken(next: other.snapshots[0].next)
    other.acknowledgeCopy()
    #expect((other.progress()?.copied ?? 0) > 0)
    while other.snapshots.isEmpty { try #require(other.foldNext()) }
    let next = other.snapshots[0]
    #expect(next.first > 0)
    other.snapshotTaken(next: next.next)
    let header = other.copies[0].header
    #expect(header.first == next.first && header.message == next.first)
    other.send(.copyReceipt(header.receipt(.notFound), from: peer(1)))
    #expect(other.snapshots.map(\.first) == [0] && other.progress()?.copied == 0)
  }

  @Test("another holder gets a whole copy without waiting for the interval")
  func holderChanges() throws {
    let worker = Self.worker(keyTiles: 64)
    worker.deliverStoreAtOnce()
    while worker.snapshots.isEmpty { try #require(worker.foldNext()) }
    worker.snapshotTaken(next: worker.snapshots[0].next)
    worker.acknowledgeCopy()
    #expect((worker.progress()?.copied ?? 0) > 0)
    let table = try #require(worker.core.run?.assignment)
    let third = Assignment.Peer(worker: WorkerID(incarnation: 3), endpoint: "3")
    worker.adopt(peers: table.peers + [third]) { $0[0].holder = 2 }
    #expect(worker.progress()?.copied == 0)
    #expect(worker.snapshots.map(\.first) == [0])
    worker.snapshotTaken(next: worker.snapshots[0].next)
    #expect(worker.copies.allSatisfy { $0.source == peer(2) } && !worker.copies.isEmpty)
  }

  @Test("a holder that is lost in the middle of a copy ends it, and it is made anew")
  func holderLost() throws {
    let worker = Self.worker(keyTiles: 64)
    worker.deliverStoreAtOnce()
    while worker.snapshots.isEmpty { try #require(worker.foldNext()) }
    worker.snapshotTaken(next: worker.snapshots[0].next)
    worker.send(.sourceLost(peer(1)))
    #expect(
      worker.effects.contains { if case .job(_, .copy(.dropSnapshot)) = $0 { true } else { false } }
    )
    #expect(worker.snapshots.map(\.first) == [0])
  }

  @Test("without protection, or with nobody and nowhere to keep it, nothing is copied")
  func nothingCopied() {
    let plan = Plan(
      job: sampleJob(queries: 256, keys: 256 * 32, dimension: 1, mask: .full), vrankCount: 1)
    for isProtected in [true, false] {
      let worker = WorkerHarness(hasSlots: !isProtected)
      worker.assign(sampleAssignment(plan, hosts: [0], peers: 2, isProtected: isProtected))
      worker.deliverStore()
      worker.foldAll()
      #expect(worker.progress()?.next == 32)
      #expect(
        !worker.history.contains { if case .job(_, .copy(.snapshot)) = $0 { true } else { false } })
    }
  }

  @Test("no copy is made of a rank whose result is on its way")
  func notAtTheEnd() {
    let worker = Self.worker(keyTiles: 40)
    let copied = Self.run(worker, tile: .milliseconds(1), copy: .seconds(1))
    #expect(copied.nexts.allSatisfy { $0 < 40 })
    #expect(worker.progress()?.next == 40)
  }
}
