import MeshCore
import Testing

/// A worker is relieved of what it hosts, and goes; nothing is folded twice.
@Suite struct DrainTests {
  private let spec = sampleJob(queries: 3_072, mask: .full, vranks: 6)

  private func running(on workers: [UInt64] = [1, 2]) throws -> (
    CoordinatorHarness, JobID, Assignment
  ) {
    try #require(CoordinatorHarness.running(on: workers, spec))
  }

  @Test("drain asks for a stop, waits for the copies, moves the ranks, and lets the worker go")
  func drain() throws {
    let (mesh, job, table) = try running()
    mesh.report(1, job: job, next: 5, copied: 3)
    mesh.report(2, job: job, next: 4, copied: 3)
    let drained = mesh.call(.drain("worker-1"))
    guard case .success(.workers(let list))? = drained else {
      Issue.record("\(String(describing: drained))")
      return
    }
    #expect(list.map(\.standing) == [.draining, .active])
    let stopping = try #require(mesh.assigned)
    for rank in table.ranks(of: 1) {
      #expect(stopping.hosts[rank].duty == .handOver && stopping.host(of: rank) == 1)
      #expect(stopping.hosts[rank].epoch == table.hosts[rank].epoch, "it is still its host")
    }
    #expect(table.ranks(of: 2).allSatisfy { stopping.hosts[$0].duty == .fold })
    // Stopped, not yet copied.
    mesh.report(1, job: job, next: 6, copied: 5)
    #expect(mesh.assigned == nil)
    mesh.report(1, job: job, next: 6, copied: 6, isHandedOver: true)
    let moved = try #require(mesh.assigned)
    #expect(moved.ranks(of: 2).count == 6 && moved.peer(of: WorkerID(incarnation: 1)) == nil)
    for rank in table.ranks(of: 1) {
      #expect(moved.hosts[rank].duty == .fold && !moved.hosts[rank].isFresh)
      #expect(moved.sources(of: rank) == [2], "where it was copied to")
    }
    let words = mesh.sent(to: 1).suffix(2)
    #expect(words == [.release(job, isOver: false, term: 3), .leave(term: 3)])
    mesh.send(.message(.goodbye, from: WorkerID(incarnation: 1)))
    #expect(mesh.workers == ["worker-2"] && mesh.assigned == nil)
    #expect(mesh.observed(.workerLost).isEmpty && mesh.observed(.workerLeft).count == 1)
    #expect(mesh.observed(.handOver).count == 3 && mesh.observed(.workerDraining).count == 1)

    let restored = WorkerMessage.Restored(tier: .memory, next: 6)
    let ranks = table.ranks(of: 1)
    mesh.beat(
      2, job: job, progress: ranks.map { mesh.progress($0, next: 6, restored: restored) })
    let recoveries = mesh.status(job)?.recoveries ?? []
    #expect(recoveries.map(\.vrank.index) == ranks)
    #expect(recoveries.allSatisfy { $0.refolded == 0 && $0.cause == "handed over" })
    #expect(recoveries.allSatisfy { $0.detectionSeconds == 0 && $0.caughtUpSeconds != nil })
  }

  @Test(
    "a rank that can't be copied folds on, keeps its copies elsewhere, and is asked again later")
  func handOverThatDoesNotEnd() throws {
    let (mesh, job, table) = try running(on: [1, 2, 3])
    mesh.call(.drain("worker-1"))
    let stopped = table.ranks(of: 1)
    for worker in UInt64(1)...3 { mesh.report(worker, job: job, next: 5) }
    func wait(_ seconds: Int) {
      for _ in 0..<seconds * 10 {
        mesh.now += .milliseconds(100)
        for worker in UInt64(1)...3 { mesh.beat(worker, job: job) }
        mesh.send(.tick)
      }
    }
    wait(4)
    #expect(stopped.allSatisfy { mesh.table?.hosts[$0].duty == .handOver })
    wait(2)
    let next = try #require(mesh.table)
    for rank in stopped {
      #expect(next.hosts[rank].duty == .fold && next.host(of: rank) == 1)
      #expect(next.hosts[rank].epoch == table.hosts[rank].epoch, "it is still its host")
      #expect(next.holder(of: rank) != table.holder(of: rank) && next.holder(of: rank) != nil)
    }
    wait(8)
    #expect(stopped.allSatisfy { mesh.table?.hosts[$0].duty == .fold })
    wait(3)
    #expect(stopped.allSatisfy { mesh.table?.hosts[$0].duty == .handOver })
    // The same after a restart, which knows only that they were asked.
    mesh.restart()
    mesh.join(1, 2, 3)
    wait(7)
    #expect(stopped.allSatisfy { mesh.table?.hosts[$0].duty == .fold })
  }

  @Test("ranks are handed over one by one, as they are copied")
  func oneByOne() throws {
    let (mesh, job, table) = try running()
    mesh.call(.drain("worker-1"))
    let ranks = table.ranks(of: 1)
    for (index, rank) in ranks.enumerated() {
      #expect(mesh.dismissed.isEmpty)
      mesh.beat(
        1, job: job, progress: [mesh.progress(rank, next: 2, copied: 2, isHandedOver: true)])
      #expect(mesh.table?.ranks(of: 1) == Array(ranks[(index + 1)...]))
    }
    #expect(mesh.dismissed == [1])
  }

  @Test(
    "a hand-over under an older table or epoch, by another, or that nobody asked for, is not taken up"
  )
  func strangeHandOvers() throws {
    let (mesh, job, table) = try running()
    let rank = table.ranks(of: 1)[0]
    mesh.report(1, job: job, next: 1, copied: 1, isHandedOver: true)
    #expect(mesh.assigned == nil)
    mesh.call(.drain("worker-1"))
    let handedOver = mesh.progress(rank, next: 1, copied: 1, isHandedOver: true)
    mesh.beat(1, job: job, revision: table.revision, progress: [handedOver])
    #expect(mesh.assigned?.revision == mesh.table?.revision, "it is told the newer table again")
    #expect(mesh.table?.host(of: rank) == 1)
    var stale = handedOver
    stale.epoch = .lowest
    mesh.beat(1, job: job, progress: [stale])
    #expect(mesh.table?.host(of: rank) == 1 && mesh.assigned == nil)
    mesh.beat(2, job: job, progress: [handedOver])
    #expect(mesh.table?.host(of: rank) == 1 && mesh.assigned == nil)
    for index in [Int.min, -1, 6, .max] {
      var strange = handedOver
      strange.vrank = VRank(index)
      mesh.beat(1, job: job, progress: [strange])
      #expect(mesh.assigned == nil)
    }
  }

  @Test("the only worker's drain waits until another joins; it goes on folding meanwhile")
  func onlyWorker() throws {
    let (mesh, job, table) = try running(on: [1])
    #expect(table.hosts.allSatisfy { $0.holder == nil })
    mesh.call(.drain("worker-1"))
    #expect(mesh.assigned == nil && mesh.dismissed.isEmpty)
    for _ in 0..<20 {
      mesh.now += .milliseconds(99)
      mesh.report(1, job: job, next: 1)
      mesh.send(.tick)
      #expect(mesh.effects.isEmpty)
    }
    #expect(mesh.table?.hosts.allSatisfy { $0.duty == .fold } == true)
    mesh.join(2)
    let stopping = try #require(mesh.assigned)
    #expect(stopping.hosts.allSatisfy { $0.duty == .handOver })
    #expect(stopping.hosts.indices.allSatisfy { stopping.holder(of: $0) == 2 }, "to copy to")
    mesh.report(1, job: job, next: 2, copied: 2, isHandedOver: true)
    #expect(mesh.table?.ranks(of: 2).count == 6 && mesh.dismissed == [1])
  }

  @Test("a spare that joins relieves the only worker as well")
  func onlyWorkerAndSpare() throws {
    let (mesh, job, _) = try running(on: [1])
    mesh.call(.drain("worker-1"))
    mesh.join(sampleHello(9, isSpare: true))
    let stopping = try #require(mesh.assigned)
    #expect(stopping.hosts.allSatisfy { $0.duty == .handOver })
    #expect(stopping.hosts.indices.allSatisfy { stopping.holder(of: $0) == 9 })
    mesh.report(1, job: job, next: 2, copied: 2, isHandedOver: true)
    #expect(mesh.table?.ranks(of: 9).count == 6 && mesh.dismissed == [1])
  }

  @Test("when the holder dies during a hand-over another one is named")
  func holderDies() throws {
    let (mesh, job, table) = try running(on: [1, 2, 3])
    mesh.call(.drain("worker-1"))
    let rank = table.ranks(of: 1)[0]
    let holder = try #require(table.holder(of: rank))
    mesh.cut(holder)
    let next = try #require(mesh.table)
    #expect(next.host(of: rank) == 1 && next.hosts[rank].duty == .handOver)
    #expect(next.holder(of: rank) == 5 - holder)
    mesh.report(1, job: job, next: 2, copied: 2, isHandedOver: true)
    #expect(mesh.table?.ranks(of: 5 - holder).count == 6)
  }

  @Test("copies kept by a drained worker are kept by another once it goes")
  func copiesMove() throws {
    let (mesh, job, table) = try running(on: [1, 2, 3])
    #expect(table.hosts.indices.contains { table.holder(of: $0) == 1 })
    mesh.call(.drain("worker-1"))
    mesh.report(1, job: job, next: 2, copied: 2, isHandedOver: true)
    let next = try #require(mesh.table)
    for rank in next.hosts.indices {
      let holder = try #require(next.holder(of: rank))
      #expect(holder != 1 && holder != next.host(of: rank))
    }
  }

  @Test("a drained worker that dies before it has handed over is a lost worker")
  func diesMeanwhile() throws {
    let (mesh, job, table) = try running()
    mesh.call(.drain("worker-1"))
    mesh.cut(1)
    let next = try #require(mesh.table)
    #expect(next.ranks(of: 2).count == 6 && next.hosts.allSatisfy { $0.duty == .fold })
    #expect(mesh.status(job)?.recoveries.map(\.vrank.index) == table.ranks(of: 1))
    #expect(mesh.status(job)?.recoveries.first?.cause == "its connection broke")
  }

  @Test("a drained worker whose ranks became final goes without waiting for the job's end")
  func ranksBecomeFinal() throws {
    let (mesh, job, table) = try running()
    mesh.call(.drain("worker-1"))
    for rank in table.ranks(of: 1) {
      mesh.send(.store(.stored(job, VRank(rank), table.hosts[rank].epoch)))
    }
    mesh.now += .milliseconds(50)
    mesh.send(.tick)
    #expect(mesh.dismissed == [1])
    let next = try #require(mesh.table)
    #expect(next.ranks(of: 2).count == 6, "it serves the shard now")
    #expect(table.ranks(of: 1).allSatisfy { next.hosts[$0].duty == .serve })
    #expect(mesh.state(job) == .running)
  }

  @Test("leave is said until the worker is gone: a message may be lost")
  func leaveIsRepeated() {
    let mesh = CoordinatorHarness()
    mesh.join(1)
    mesh.call(.drain("worker-1"))
    for _ in 0..<3 {
      #expect(mesh.dismissed == [1])
      mesh.now += .milliseconds(50)
      mesh.beat(1)
      mesh.send(.tick)
    }
    mesh.send(.message(.goodbye, from: WorkerID(incarnation: 1)))
    mesh.send(.tick)
    #expect(mesh.dismissed.isEmpty && mesh.workers.isEmpty)
  }

  private func isTold(_ mesh: CoordinatorHarness, _ worker: UInt64) -> Bool {
    mesh.sent(to: worker).contains { if case .drain = $0 { true } else { false } }
  }

  @Test("a drained worker is told so until it says that it leaves: a message may be lost")
  func drainIsRepeated() throws {
    let (mesh, job, _) = try running()
    mesh.call(.drain("worker-1"))
    #expect(isTold(mesh, 1) && !isTold(mesh, 2))
    for _ in 0..<3 {
      mesh.report(1, job: job, next: 1)
      #expect(isTold(mesh, 1))
      mesh.report(2, job: job, next: 1)
      #expect(!isTold(mesh, 2))
    }
    mesh.send(.message(.leaving, from: WorkerID(incarnation: 1)))
    mesh.report(1, job: job, next: 1)
    #expect(!isTold(mesh, 1))
    mesh.call(.drain("worker-1"))
    #expect(!isTold(mesh, 1), "it knows")
    #expect(mesh.observed(.workerDraining).count == 1)
  }

  @Test("a drain goes on after the coordinator was restarted, by what the worker says")
  func outlivesTheCoordinator() throws {
    let (mesh, job, table) = try running()
    mesh.call(.drain("worker-1"))
    #expect(mesh.sent(to: 1).contains(.drain(term: 3)))
    mesh.restart()
    mesh.join(1, 2)
    mesh.send(.message(.leaving, from: WorkerID(incarnation: 1)))
    guard case .success(.workers(let list)) = mesh.call(.workers, as: .viewer) else {
      Issue.record("no list")
      return
    }
    #expect(list.map(\.standing) == [.draining, .active])
    let stopping = try #require(mesh.table)
    #expect(table.ranks(of: 1).allSatisfy { stopping.hosts[$0].duty == .handOver })
    mesh.report(1, job: job, next: 2, copied: 2, isHandedOver: true)
    #expect(mesh.table?.ranks(of: 2).count == 6 && mesh.dismissed == [1])
    mesh.send(.message(.goodbye, from: WorkerID(incarnation: 1)))
    #expect(mesh.workers == ["worker-2"] && mesh.observed(.workerLost).isEmpty)
  }

  @Test("a spare, and a worker without a job, are told to drain and may go at once")
  func idle() throws {
    let (mesh, _, table) = try running()
    mesh.join(sampleHello(9, isSpare: true))
    mesh.call(.drain("worker-9"))
    #expect(mesh.sent(to: 9) == [.drain(term: 3), .leave(term: 3)])
    #expect(mesh.table == table)
  }

  @Test("a worker that asks to leave is relieved in the same way")
  func leaving() throws {
    let (mesh, _, table) = try running()
    mesh.send(.message(.leaving, from: WorkerID(incarnation: 1)))
    #expect(table.ranks(of: 1).allSatisfy { mesh.table?.hosts[$0].duty == .handOver })
    let revision = mesh.table?.revision
    mesh.send(.message(.leaving, from: WorkerID(incarnation: 1)))
    #expect(mesh.table?.revision == revision && mesh.observed(.workerDraining).count == 1)
  }

  @Test("a drained worker gets nothing new: no ranks of the lost, no next job")
  func nothingNew() throws {
    let (mesh, job, _) = try running(on: [1, 2, 3])
    mesh.call(.drain("worker-1"))
    mesh.cut(2)
    let next = try #require(mesh.table)
    #expect(next.ranks(of: 1).count == 2 && next.ranks(of: 3).count == 4)
    mesh.call(.cancel(job))
    #expect(mesh.dismissed == [1])
    _ = try #require(mesh.queue(spec))
    #expect(mesh.table?.peers.map(\.worker.incarnation) == [3])
  }

  @Test("while only drained workers are there the next job waits")
  func onlyDrained() throws {
    let mesh = CoordinatorHarness()
    mesh.join(1)
    mesh.call(.drain("worker-1"))
    let job = try #require(mesh.queue(spec))
    #expect(mesh.state(job) == .queued && mesh.reason(job) == "waits for workers")
  }

  @Test("without protection nothing can be handed over: the drained worker stays to the end")
  func withoutProtection() throws {
    let (mesh, job, table) = try #require(
      CoordinatorHarness.running(on: [1, 2], spec, isProtected: false))
    mesh.call(.drain("worker-1"))
    mesh.send(.tick)
    #expect(mesh.table == table && mesh.dismissed.isEmpty)
    mesh.storeAll(table)
    mesh.finish(job)
    #expect(mesh.dismissed == [1])
  }

  @Test("to drain a worker that isn't here is NOT_FOUND")
  func unknown() {
    let mesh = CoordinatorHarness()
    mesh.join(1)
    #expect(mesh.call(.drain("worker-2"))?.code == .notFound)
  }

  @Test("all workers are replaced one after the other, and nothing is folded twice")
  func rollingRestart() throws {
    let (mesh, job, _) = try running(on: [1, 2, 3])
    for old in UInt64(1)...3 {
      mesh.join(old + 10)
      for worker in [UInt64](1...3) + [11, 12, 13] {
        mesh.report(
          worker, job: job, next: Int(old), copied: Int(old),
          restored: WorkerMessage.Restored(tier: .memory, next: Int(old)), isHandedOver: true)
      }
      mesh.call(.drain("worker-\(old)"))
      for _ in 0..<3 {
        mesh.report(
          old, job: job, next: Int(old), copied: Int(old),
          restored: WorkerMessage.Restored(tier: .memory, next: Int(old)), isHandedOver: true)
      }
      mesh.send(.message(.goodbye, from: WorkerID(incarnation: old)))
    }
    let table = try #require(mesh.table)
    #expect(Set(table.peers.map(\.worker.incarnation)) == [11, 12, 13])
    #expect(table.hosts.allSatisfy { $0.peer != nil } && mesh.state(job) == .running)
    let recoveries = mesh.status(job)?.recoveries ?? []
    #expect(recoveries.allSatisfy { $0.cause == "handed over" } && recoveries.count >= 6)
  }
}
