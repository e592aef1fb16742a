import MeshCore
import Testing

/// What is told of a recovery, and of how well a job is protected.
@Suite struct RecoveryStoryTests {
  private let spec = sampleJob(queries: 3_072, mask: .full, vranks: 4)

  private func running() throws -> (CoordinatorHarness, JobID, Assignment) {
    try #require(CoordinatorHarness.running(on: [1, 2], spec))
  }

  @Test("who was lost and how it was found, where the state was, what was folded again, how long")
  func story() throws {
    let (mesh, job, table) = try running()
    mesh.step = .zero
    let rank = table.ranks(of: 2)[0]
    let before = table.hosts[rank].epoch
    mesh.report(2, job: job, next: 9, copied: 7)
    let started = try #require(mesh.status(job)).summary.wallSeconds
    mesh.now += .milliseconds(250)
    mesh.cut(2)
    func recovery() throws -> Recovery {
      try #require(mesh.status(job)?.recoveries.first { $0.vrank.index == rank })
    }
    let found = try recovery()
    #expect(found.worker == "worker-2" && found.processID == 7)
    #expect(found.cause == "its connection broke" && found.host == "worker-1")
    #expect(abs(found.detectionSeconds - 0.25) < 1e-9)
    #expect(abs(found.atSeconds - started - 0.25) < 1e-9)
    #expect(found.lostAt == 9 && found.restored == nil && found.refolded == nil)
    #expect(found.epoch == mesh.table?.hosts[rank].epoch && found.epoch > before)
    // While the state is looked for, what was there is what is told.
    mesh.now += .milliseconds(100)
    mesh.report(1, job: job, next: 0)
    #expect(mesh.next(job, rank) == 9)
    #expect(try recovery().restored == nil)
    mesh.now += .milliseconds(100)
    let restored = WorkerMessage.Restored(tier: .memory, next: 7)
    mesh.beat(1, job: job, progress: [mesh.progress(rank, next: 7, restored: restored)])
    #expect(mesh.next(job, rank) == 7)
    let back = try recovery()
    #expect(back.restored == restored && back.refolded == 2)
    #expect(abs((back.restoreSeconds ?? 0) - 0.2) < 1e-9 && back.caughtUpSeconds == nil)
    mesh.now += .milliseconds(300)
    mesh.beat(1, job: job, progress: [mesh.progress(rank, next: 9, restored: restored)])
    mesh.now += .milliseconds(300)
    mesh.beat(1, job: job, progress: [mesh.progress(rank, next: 11, restored: restored)])
    #expect(abs((try recovery().caughtUpSeconds ?? 0) - 0.5) < 1e-9)
    let told = try #require(mesh.observed(.restored).first)
    #expect(told.detail == "from peer memory, at K/V tile 7; folded again: 2 tiles")
    #expect(told.worker == "worker-1" && mesh.observed(.restored).count == 1)
  }

  @Test("a story goes on after the coordinator was restarted; its own absence isn't counted")
  func overARestart() throws {
    let (mesh, job, table) = try running()
    mesh.step = .zero
    let rank = table.ranks(of: 2)[0]
    mesh.report(2, job: job, next: 9, copied: 7)
    mesh.cut(2)
    mesh.restart(after: .seconds(5))
    mesh.join(1)
    mesh.now += .milliseconds(200)
    let restored = WorkerMessage.Restored(tier: .memory, next: 7)
    mesh.beat(1, job: job, progress: [mesh.progress(rank, next: 7, restored: restored)])
    func recovery() throws -> Recovery {
      try #require(mesh.status(job)?.recoveries.first { $0.vrank.index == rank })
    }
    let back = try recovery()
    #expect(back.restored == restored && back.refolded == 2 && back.worker == "worker-2")
    #expect(abs((back.restoreSeconds ?? 0) - 0.2) < 0.002 && back.caughtUpSeconds == nil)
    mesh.now += .milliseconds(300)
    mesh.beat(1, job: job, progress: [mesh.progress(rank, next: 9, restored: restored)])
    #expect(abs((try recovery().caughtUpSeconds ?? 0) - 0.5) < 0.002)
    #expect(mesh.observed(.restored).count == 1)
  }

  @Test("what was told of a story before a restart is not told again")
  func toldOnce() throws {
    let (mesh, job, table) = try running()
    mesh.step = .zero
    let rank = table.ranks(of: 2)[0]
    mesh.report(2, job: job, next: 9, copied: 7)
    mesh.cut(2)
    let restored = WorkerMessage.Restored(tier: .memory, next: 7)
    for (term, next) in [(UInt64(4), 7), (5, 9), (6, 11)] {
      mesh.now += .milliseconds(250)
      mesh.beat(1, job: job, progress: [mesh.progress(rank, next: next, restored: restored)])
      let before = try #require(mesh.status(job)?.recoveries)
      #expect(mesh.disk[job]?.run?.recoveries == before)
      mesh.restart(term: term, after: .seconds(1))
      mesh.join(1)
      mesh.beat(1, job: job, progress: [mesh.progress(rank, next: next, restored: restored)])
      #expect(mesh.status(job)?.recoveries == before)
    }
    #expect(mesh.observed(.restored).count == 1)
    let recovery = try #require(mesh.status(job)?.recoveries.first { $0.vrank.index == rank })
    #expect(recovery.restoreSeconds == 0.25)
    #expect(abs((recovery.caughtUpSeconds ?? 0) - 0.5) < 0.002)
  }

  @Test("nobody is said to look for a state any more once its host was lost, too, or it is final")
  func noLongerLooking() throws {
    let (mesh, job, table) = try #require(CoordinatorHarness.running(on: [1, 2, 3], spec))
    let rank = table.ranks(of: 2)[0]
    mesh.report(2, job: job, next: 9)
    mesh.cut(2)
    func sources() throws -> [String] {
      let status = try #require(mesh.status(job))
      return status.recoveries.indices.filter { status.recoveries[$0].vrank.index == rank }
        .map { status.source(ofRecovery: $0) }
    }
    #expect(try sources() == ["looking"])
    let next = try #require(mesh.table?.worker(mesh.table?.hosts[rank].peer))
    mesh.cut(next.incarnation)
    #expect(try sources() == ["lost again", "looking"])
    mesh.storeAll(try #require(mesh.table))
    #expect(try sources() == ["lost again", "finished"])
    // The word of where it went on may come after the result.
    let host = try #require(mesh.table?.worker(mesh.table?.hosts[rank].peer))
    let restored = WorkerMessage.Restored(tier: .otherSlot, next: 5)
    mesh.beat(
      host.incarnation, job: job, progress: [mesh.progress(rank, next: 12, restored: restored)])
    #expect(try sources() == ["lost again", RestoreTier.otherSlot.name])
  }

  @Test("each tier is told", arguments: RestoreTier.allCases)
  func tiers(tier: RestoreTier) throws {
    let (mesh, job, table) = try running()
    mesh.report(2, job: job, next: 9)
    mesh.cut(2)
    let rank = table.ranks(of: 2)[0]
    let next = tier == .recompute ? 0 : 5
    let restored = WorkerMessage.Restored(tier: tier, next: next)
    mesh.beat(1, job: job, progress: [mesh.progress(rank, next: next, restored: restored)])
    let recovery = try #require(mesh.status(job)?.recoveries.first)
    #expect(recovery.restored == restored && recovery.refolded == 9 - next)
    #expect(mesh.observed(.restored).first?.detail.contains(tier.name) == true)
  }

  @Test("a rank lost twice has two stories, the first one without an end")
  func twice() throws {
    let (mesh, job, table) = try running()
    let rank = table.ranks(of: 2)[0]
    mesh.report(2, job: job, next: 9)
    mesh.cut(2)
    mesh.join(3)
    mesh.cut(1)
    let restored = WorkerMessage.Restored(tier: .recompute, next: 0)
    mesh.beat(3, job: job, progress: [mesh.progress(rank, next: 0, restored: restored)])
    let stories = mesh.status(job)?.recoveries.filter { $0.vrank.index == rank } ?? []
    #expect(stories.map(\.worker) == ["worker-2", "worker-1"])
    #expect(stories.map(\.restored) == [nil, restored])
    #expect(stories.map(\.lostAt) == [9, 9])
    #expect(stories.last?.host == "worker-3")
  }

  @Test("a rank that waited for a worker has one story, with the worker that took it in the end")
  func afterWaiting() throws {
    let (mesh, job, _) = try #require(CoordinatorHarness.running(on: [1], spec))
    mesh.cut(1)
    mesh.pass(Limits.heartbeatTimeout)
    #expect(mesh.status(job)?.recoveries.map(\.host) == ["", "", "", ""])
    mesh.now += .seconds(3)
    mesh.join(2)
    let recoveries = mesh.status(job)?.recoveries ?? []
    #expect(recoveries.map(\.host) == ["worker-2", "worker-2", "worker-2", "worker-2"])
    #expect(recoveries.map(\.epoch) == mesh.table?.hosts.map(\.epoch))
    let restored = WorkerMessage.Restored(tier: .recompute, next: 0)
    mesh.report(2, job: job, next: 0, restored: restored)
    let told = mesh.status(job)?.recoveries ?? []
    #expect(told.allSatisfy { ($0.restoreSeconds ?? 0) > 3 && $0.caughtUpSeconds != nil })
  }

  @Test("rows that see no key have no story: there is nothing of them to find")
  func nothingToFind() throws {
    let spec = sampleJob(queries: 512, keys: 10, vranks: 2)
    let (mesh, job, table) = try #require(CoordinatorHarness.running(on: [1, 2], spec))
    try #require(table.ranks(of: 1) == [0])
    mesh.cut(1)
    #expect(mesh.table?.host(of: 0) == 2 && mesh.status(job)?.recoveries.isEmpty == true)
  }

  @Test("only so many stories are kept, the last ones")
  func bounded() throws {
    let (mesh, job, _) = try running()
    for worker in UInt64(3)...200 {
      mesh.join(worker)
      // Goodbyes are no strikes.
      mesh.send(.message(.goodbye, from: WorkerID(incarnation: worker - 2)))
    }
    let recoveries = mesh.status(job)?.recoveries ?? []
    #expect(recoveries.count == Limits.recoveriesKeptMaximum)
    #expect(mesh.disk[job]?.run?.recoveries.count == Limits.recoveriesKeptMaximum)
    #expect(recoveries.last?.worker == "worker-198")
  }

  @Test("who served in a job is listed with it, also after it was lost")
  func participants() throws {
    let (mesh, job, _) = try running()
    mesh.cut(2)
    mesh.join(3)
    mesh.cut(1)
    #expect(mesh.status(job)?.workers.map(\.name) == ["worker-1", "worker-2", "worker-3"])
  }

  @Test("protection is that of the rank which is protected least")
  func protection() throws {
    let (mesh, job, table) = try running()
    func protection() -> Protection? { mesh.status(job)?.protection }
    #expect(protection() == Protection.none)
    mesh.report(1, job: job, next: 5, copied: 4, durable: 3)
    mesh.report(2, job: job, next: 5, copied: 4, durable: 3)
    #expect(protection() == .peerAndDisk)
    mesh.report(2, job: job, next: 6, copied: 6)
    #expect(protection() == .peerOnly)
    mesh.report(2, job: job, next: 6, durable: 6)
    #expect(protection() == .diskOnly)
    mesh.report(2, job: job, next: 6)
    #expect(protection() == Protection.none)
    for rank in table.ranks(of: 2) {
      mesh.send(.store(.stored(job, VRank(rank), table.hosts[rank].epoch)))
    }
    #expect(protection() == .peerAndDisk, "what is final needs none")
  }

  @Test("what is told of protection is true of a single worker and of what is final")
  func protectionInWords() throws {
    let (mesh, job, table) = try #require(CoordinatorHarness.running(on: [1], spec))
    func told() -> String? { mesh.status(job)?.protectionName }
    #expect(told() == "none yet")
    mesh.report(1, job: job, next: 5)
    #expect(told() == "none: one worker has all of it")
    mesh.report(1, job: job, next: 5, durable: 4)
    #expect(told() == "disk only: one worker has all of it")
    for rank in table.ranks(of: 1) {
      mesh.send(.store(.stored(job, VRank(rank), table.hosts[rank].epoch)))
    }
    #expect(told() == "results in the store")
  }

  @Test("a lost worker's copies are nobody's protection any more")
  func protectionAfterLoss() throws {
    let (mesh, job, _) = try running()
    for worker in [UInt64(1), 2] { mesh.report(worker, job: job, next: 5, copied: 4) }
    #expect(mesh.status(job)?.protection == .peerOnly)
    mesh.cut(2)
    #expect(mesh.status(job)?.protection == Protection.none)
  }

  @Test("a disk fails when its worker says so, and not because nothing is on it yet")
  func failingDisk() throws {
    let (mesh, job, table) = try running()
    func protection() -> Protection? { mesh.status(job)?.protection }
    for worker in [UInt64(1), 2] { mesh.report(worker, job: job, next: 5, copied: 4) }
    #expect(protection() == .peerOnly)
    let rank = try #require(table.ranks(of: 1).first)
    func alarm(_ worker: UInt64) {
      let id = WorkerID(incarnation: worker)
      mesh.send(.message(.alarm(job, VRank(rank), reason: "no space"), from: id))
    }
    alarm(2)
    #expect(protection() == .peerOnly, "only its host knows")
    alarm(1)
    #expect(protection() == .peerDiskFailing)
    mesh.report(1, job: job, next: 6, copied: 5, durable: 5)
    #expect(protection() == .peerOnly)
    mesh.report(2, job: job, next: 6, copied: 5, durable: 5)
    #expect(protection() == .peerAndDisk)
  }

  @Test("copies beyond the plan are not believed")
  func absurdCopies() throws {
    let (mesh, job, _) = try running()
    for number in [Int.min, -1, 99, .max] {
      mesh.report(1, job: job, next: 5, copied: number, durable: number)
      let ranks = mesh.status(job)?.ranks ?? []
      #expect(ranks.allSatisfy { (0...12).contains($0.copied) && (0...12).contains($0.durable) })
    }
  }
}
