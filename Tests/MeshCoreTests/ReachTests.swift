import MeshCore
import Testing

/// Workers that are heard, and that others can't connect to: told, and avoided as sources and holders.
@Suite struct ReachTests {
  private func reach(_ worker: WorkerHarness, _ peer: UInt64, _ isReachable: Bool) {
    worker.send(.reach(WorkerID(incarnation: peer), isReachable))
  }

  /// What the last heartbeat said.
  private func told(_ worker: WorkerHarness) -> [UInt64]? {
    worker.history.reversed().firstNonNil { effect in
      if case .beat(let beat) = effect { return beat.unreachable.map(\.incarnation) }
      return nil
    }
  }

  // MARK: The worker

  /// Three workers, one rank each, 12 K/V tiles: this one owns 0 ..< 4 and has all its rows.
  private func fetching() -> WorkerHarness {
    let worker = WorkerHarness()
    worker.assign(
      Plan(job: sampleJob(queries: 3_072, mask: .full), vrankCount: 3), hosts: [0, 1, 2], peers: 3)
    for tile in 0..<16 { worker.deliver(.query(tile), from: .store) }
    for tile in 0..<4 { worker.deliver(.keyValue(tile), from: .store) }
    return worker
  }

  @Test("what was asked of it is asked elsewhere, and so is what comes next, until it is reached")
  func sources() throws {
    let worker = fetching()
    worker.fold(1)
    #expect(worker.pulled.map(\.1) == [peer(2)], "along the ring")
    reach(worker, 3, false)
    #expect(worker.pulled.map(\.0.tile) == [.keyValue(4)] && worker.pulled.map(\.1) == [peer(1)])
    #expect(told(worker) == [3])
    worker.fold(2)
    #expect(worker.pulled.map(\.1) == [peer(1)], "of the owner")
    // The owner as well: the store is left.
    reach(worker, 2, false)
    #expect(told(worker) == [2, 3])
    #expect(Set(worker.pulled.map(\.0.tile)) == [.keyValue(4), .keyValue(5)])
    #expect(worker.pulled.allSatisfy { $0.1 == .store })
    worker.send(.sourceLost(.store))
    #expect(worker.pulled.allSatisfy { $0.1 == .store } && worker.pulled.count == 2)
    reach(worker, 3, true)
    reach(worker, 3, true)
    #expect(told(worker) == [2])
    while worker.pulled.isEmpty { try #require(worker.foldNext()) }
    #expect(worker.pulled.allSatisfy { $0.1 == peer(2) }, "the ring again")
  }

  @Test("nothing is believed of strangers, of itself, and of other jobs")
  func strangers() {
    let worker = fetching()
    for peer: UInt64 in [1, 9] { reach(worker, peer, false) }
    worker.send(.job(JobID(high: 9, low: 9), .reach(WorkerID(incarnation: 2), false)))
    reach(worker, 2, true)
    #expect(worker.core.run?.unreachable == [])
  }

  @Test("no copy is made for it; as soon as it is reached it gets one")
  func holder() throws {
    let worker = WorkerCopyTests.worker(keyTiles: 64)
    reach(worker, 2, false)
    worker.deliverStoreAtOnce()
    worker.foldAll()
    #expect(worker.progress()?.next == 64 && worker.progress()?.copied == 0)
    #expect(
      !worker.history.contains { if case .job(_, .copy(.snapshot)) = $0 { true } else { false } })
    let other = WorkerCopyTests.worker(keyTiles: 64)
    reach(other, 2, false)
    other.deliverStoreAtOnce()
    for _ in 0..<3 { other.foldNext() }
    reach(other, 2, true)
    let next = try #require(other.snapshots.first?.next)
    other.snapshotTaken(next: next)
    other.acknowledgeCopy()
    #expect(other.progress()?.copied == next)
  }

  @Test("another holder in its place gets a whole copy at once")
  func otherHolder() throws {
    let worker = WorkerCopyTests.worker(keyTiles: 64)
    reach(worker, 2, false)
    worker.deliverStoreAtOnce()
    for _ in 0..<3 { worker.foldNext() }
    let table = try #require(worker.core.run?.assignment)
    let third = Assignment.Peer(worker: WorkerID(incarnation: 3), endpoint: "3")
    worker.adopt(peers: table.peers + [third]) { $0[0].holder = 2 }
    #expect(worker.snapshots.map(\.first) == [0])
    #expect(worker.core.run?.unreachable.map(\.incarnation) == [2])
    // Back to the first one, which still can't be reached.
    worker.adopt { $0[0].holder = 1 }
    worker.foldAll()
    #expect(worker.copies.isEmpty)
    // Whoever is gone from the table is forgotten.
    worker.adopt(peers: [table.peers[0], third]) { $0[0].holder = nil }
    #expect(worker.core.run?.unreachable == [])
  }

  @Test("a hand-over takes the checkpoint in its place at once")
  func handOver() throws {
    let worker = WorkerCopyTests.worker(keyTiles: 64, hasSlots: true)
    /// The compute threads and the disk do what they are asked for.
    func settle() {
      while let snapshot = worker.snapshots.first {
        worker.snapshotTaken(next: snapshot.next)
        for write in worker.writes { worker.persisted(slot: write.slot, next: write.next) }
      }
    }
    reach(worker, 2, false)
    worker.deliverStoreAtOnce()
    settle()
    worker.adopt { $0[0].duty = .handOver }
    settle()
    while worker.foldNext() { settle() }
    #expect(worker.progress()?.isHandedOver == true && worker.progress()?.copied == 0)
  }

  // MARK: The coordinator

  private func mesh(_ workers: Int) throws -> (CoordinatorHarness, JobID) {
    let mesh = CoordinatorHarness()
    for number in 1...workers { mesh.join(UInt64(number)) }
    let spec = sampleJob(queries: 6_144, mask: .full, vranks: 3 * workers)
    return (mesh, try #require(mesh.queue(spec)))
  }

  @Test("who can't be reached is told with the address, and its hosts get other holders")
  func otherHolders() throws {
    let (mesh, job) = try mesh(3)
    let before = try #require(mesh.table)
    #expect(before.ranks(of: 1).contains { before.holder(of: $0) == 2 })
    mesh.beat(1, job: job, unreachable: [2])
    let after = try #require(mesh.assigned)
    #expect(after.ranks(of: 1).allSatisfy { after.holder(of: $0) == 3 })
    #expect(
      after.ranks(of: 3).map { after.holder(of: $0) }
        == before.ranks(of: 3).map { before.holder(of: $0) }, "nobody else says so")
    let event = try #require(mesh.observed(.peerUnreachable).last)
    #expect(event.worker == "worker-2" && event.kind.level == .warning)
    #expect(event.detail.contains("worker-1 can't connect to it at tcp://127.0.0.1:2"))
    // Said again and again, it is told once.
    for _ in 0..<3 { mesh.beat(1, job: job, unreachable: [2]) }
    #expect(mesh.observed(.peerUnreachable).count == 1 && mesh.assigned == nil)
    mesh.beat(1, job: job)
    #expect(mesh.observed(.peerReached).map(\.worker) == ["worker-2"])
  }

  @Test("where there is no other a rank has no holder, until there is one")
  func noHolder() throws {
    let (mesh, job) = try mesh(2)
    mesh.beat(1, job: job, unreachable: [2])
    let alone = try #require(mesh.table)
    #expect(alone.ranks(of: 1).allSatisfy { alone.holder(of: $0) == nil })
    #expect(alone.ranks(of: 2).allSatisfy { alone.holder(of: $0) == 1 })
    mesh.beat(1, job: job)
    let again = try #require(mesh.table)
    #expect(again.ranks(of: 1).allSatisfy { again.holder(of: $0) == 2 })
  }

  @Test("an end of the job is no news of reach, and strangers are no members")
  func endOfJob() throws {
    let (mesh, job) = try mesh(2)
    mesh.beat(1, job: job, unreachable: [1, 2, 77])
    #expect(mesh.observed(.peerUnreachable).count == 1)
    mesh.beat(1, isLast: true)
    #expect(mesh.observed(.peerReached).isEmpty)
  }

  @Test("the coordinator tells whom it can't reach itself, once")
  func ownLinks() {
    let mesh = CoordinatorHarness()
    mesh.join(1)
    for isReachable in [true, false, false, true] {
      mesh.send(.workerReach(WorkerID(incarnation: 1), isReachable))
    }
    mesh.send(.workerReach(WorkerID(incarnation: 8), false))
    #expect(mesh.observed(.peerUnreachable).map(\.worker) == ["worker-1"])
    #expect(mesh.observed(.peerReached).map(\.worker) == ["worker-1"])
    #expect(
      mesh.observed(.peerUnreachable)[0].detail.hasPrefix("the coordinator can't connect to it at"))
  }
}
