import MeshCore
import Testing

/// Ranks that should move, and nobody who can take them; and the copies that are left behind.
@Suite struct NobodyToTakeThemTests {
  private static let large = sampleJob(queries: 65_536, dimension: 64, mask: .full, vranks: 16)
  private static var halves: Int {
    MemoryEstimate(plan: Plan(job: large, vrankCount: 16), workers: 2).workerBytes
  }

  /// Two workers that have the memory for half of a job each.
  private func halved(isClosed: Bool) throws -> (CoordinatorHarness, JobID, Assignment) {
    let mesh = CoordinatorHarness(isClosed: isClosed)
    for worker in [UInt64(1), 2] { mesh.join(sampleHello(worker, memory: Self.halves)) }
    let job = try #require(mesh.queue(Self.large))
    return (mesh, job, try #require(mesh.table))
  }

  @Test("a lost worker whose ranks are final needs no other", arguments: [true, false])
  func finalRanks(isClosed: Bool) throws {
    let (mesh, job, table) = try halved(isClosed: isClosed)
    for rank in table.ranks(of: 1) {
      mesh.send(.store(.stored(job, VRank(rank), table.hosts[rank].epoch)))
    }
    mesh.cut(1)
    #expect(mesh.state(job) == .running && mesh.reason(job).isEmpty)
    let next = try #require(mesh.table)
    #expect(next.ranks(of: 2) == table.ranks(of: 2) && next.peers.count == 1)
    #expect(table.ranks(of: 1).allSatisfy { next.hosts[$0].peer == nil })
    for rank in next.ranks(of: 2) {
      mesh.send(.store(.stored(job, VRank(rank), next.hosts[rank].epoch)))
    }
    mesh.finish(job)
    #expect(mesh.state(job) == .done)
  }

  @Test(
    "ranks that were stopped and that nobody can take go on where they are",
    arguments: [true, false])
  func stoppedRanks(isClosed: Bool) throws {
    let (mesh, job, table) = try halved(isClosed: isClosed)
    mesh.call(.drain("worker-1"))
    mesh.report(1, job: job, next: 3, copied: 3, isHandedOver: true)
    let next = try #require(mesh.table)
    for rank in table.ranks(of: 1) {
      #expect(next.hosts[rank].duty == .fold && next.host(of: rank) == 1)
      #expect(next.hosts[rank].epoch == table.hosts[rank].epoch)
    }
    #expect(mesh.state(job) == .running && mesh.reason(job).isEmpty && mesh.dismissed.isEmpty)
    #expect(mesh.observed(.handOver).contains { $0.detail.contains("memory") })
    // Asked again when there is somebody, and not before a while.
    mesh.now += Limits.handOverInterval
    mesh.join(sampleHello(3, memory: Self.halves))
    #expect(table.ranks(of: 1).allSatisfy { mesh.table?.hosts[$0].duty == .handOver })
  }

  @Test("a joiner with nothing to do goes before a spare")
  func joinerBeforeSpare() throws {
    let spec = sampleJob(queries: 6_144, mask: .full, vranks: 12)
    let (mesh, job, _) = try #require(CoordinatorHarness.running(on: [1, 2], spec))
    mesh.join(sampleHello(9, isSpare: true))
    mesh.join(3)
    let moving = try #require(mesh.table).hosts.indices.filter {
      mesh.table?.hosts[$0].duty == .handOver
    }
    #expect(moving.count == 4)
    for worker in [UInt64(1), 2] {
      mesh.report(worker, job: job, next: 1, copied: 1, isHandedOver: true)
    }
    #expect(mesh.table?.ranks(of: 3) == moving && mesh.table?.ranks(of: 9) == [])
  }

  @Test("who kept copies of a rank keeps the last one until the next holder has one")
  func formerHolder() throws {
    let spec = sampleJob(queries: 3_072, mask: .full, vranks: 6)
    let (mesh, job, table) = try #require(CoordinatorHarness.running(on: [1, 2, 3], spec))
    let rank = try #require(table.hosts.indices.first { table.holder(of: $0) == 1 })
    let host = try #require(table.host(of: rank))
    mesh.report(host, job: job, next: 5, copied: 4)
    mesh.hold(1, job: job, [(rank, 4)])
    for own in table.ranks(of: 1) {
      mesh.send(.store(.stored(job, VRank(own), table.hosts[own].epoch)))
    }
    // It hosts nothing more that is open, but it has copies.
    mesh.call(.drain("worker-1"))
    let next = try #require(mesh.table)
    let other = try #require(next.holder(of: rank))
    #expect(other != 1 && other != host && next.sources(of: rank) == [1])
    #expect(mesh.dismissed.isEmpty && next.peer(of: WorkerID(incarnation: 1)) != nil)
    let kept = next.hosts.indices.filter {
      next.holder(of: $0) == other && next.sources(of: $0).contains(1)
    }
    mesh.beat(
      other, job: job,
      held: kept.map {
        WorkerMessage.HeldCopy(vrank: VRank($0), epoch: next.hosts[$0].epoch, next: 5)
      })
    mesh.send(.tick)
    #expect(mesh.dismissed == [1] && mesh.table?.peer(of: WorkerID(incarnation: 1)) == nil)
  }
}
