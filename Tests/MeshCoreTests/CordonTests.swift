import MeshCore
import Testing

/// Workers that keep what they have and are given nothing new.
@Suite struct CordonTests {
  private let spec = sampleJob(queries: 3_072, mask: .full, vranks: 6)

  private func running(on workers: [UInt64] = [1, 2]) throws -> (
    CoordinatorHarness, JobID, Assignment
  ) {
    try #require(CoordinatorHarness.running(on: workers, spec))
  }

  private func standings(_ outcome: CallOutcome?) -> [WorkerStanding] {
    guard case .success(.workers(let list))? = outcome else { return [] }
    return list.map(\.standing)
  }

  private func cordon(_ worker: UInt64, _ mesh: CoordinatorHarness) -> [WorkerStanding] {
    standings(mesh.call(.cordon("worker-\(worker)", isLifted: false)))
  }

  private func uncordon(_ worker: UInt64, _ mesh: CoordinatorHarness) -> [WorkerStanding] {
    standings(mesh.call(.cordon("worker-\(worker)", isLifted: true)))
  }

  @Test("new jobs go to the others")
  func newJobs() throws {
    let mesh = CoordinatorHarness()
    mesh.join(1, 2, 3)
    #expect(cordon(2, mesh) == [.active, .cordoned, .active])
    #expect(mesh.sent(to: 2) == [.cordon(true, term: 3)])
    #expect(mesh.observed(.workerCordoned).map(\.worker) == ["worker-2"])
    _ = try #require(mesh.queue(spec))
    #expect(mesh.assigned?.peers.map(\.worker.incarnation) == [1, 3])
  }

  @Test("a job waits, and says why, while all workers are cordoned; lifting one cordon starts it")
  func allAreCordoned() throws {
    let mesh = CoordinatorHarness()
    mesh.join(1, 2)
    _ = cordon(1, mesh)
    _ = cordon(2, mesh)
    let job = try #require(mesh.queue(spec))
    #expect(mesh.state(job) == .queued)
    #expect(
      mesh.reason(job)
        == "waits for workers: all 2 here are cordoned; `attnmesh uncordon worker-1` lets it work")
    #expect(uncordon(2, mesh) == [.cordoned, .active])
    #expect(mesh.state(job) == .running && mesh.reason(job).isEmpty)
    #expect(mesh.table?.peers.map(\.worker.incarnation) == [2])
    #expect(mesh.observed(.workerUncordoned).map(\.worker) == ["worker-2"])
  }

  @Test("it keeps its ranks and copies, and is given none of those of a lost worker")
  func loss() throws {
    let (mesh, job, table) = try running(on: [1, 2, 3])
    for worker in UInt64(1)...3 { mesh.report(worker, job: job, next: 5, copied: 3) }
    _ = cordon(2, mesh)
    #expect(mesh.assigned == nil, "nothing moves")
    mesh.cut(1)
    let next = try #require(mesh.table)
    #expect(next.ranks(of: 2) == table.ranks(of: 2))
    #expect(next.ranks(of: 3) == (table.ranks(of: 3) + table.ranks(of: 1)).sorted())
    for rank in table.ranks(of: 3) {
      // What it had a copy of, it has; of the others nobody else than it could keep any.
      #expect(next.holder(of: rank) == 2)
    }
    // With another worker there, copies of before stay and new ones go elsewhere.
    mesh.join(4)
    let wider = try #require(mesh.table)
    #expect(table.ranks(of: 2).allSatisfy { wider.host(of: $0) == 2 })
    #expect(!wider.ranks(of: 2).isEmpty)
  }

  @Test("copies go to a cordoned worker only when nobody else could keep them")
  func copies() throws {
    let mesh = CoordinatorHarness()
    mesh.join(1, 2, 3)
    _ = cordon(3, mesh)
    let job = try #require(mesh.queue(spec))
    let table = try #require(mesh.table)
    #expect((0..<6).allSatisfy { table.holder(of: $0) != 3 && table.holder(of: $0) != nil })
    for worker in UInt64(1)...2 { mesh.report(worker, job: job, next: 5, copied: 3) }
    mesh.cut(2)
    let next = try #require(mesh.table)
    #expect(next.ranks(of: 1) == Array(0..<6) && next.ranks(of: 3).isEmpty)
    #expect((0..<6).allSatisfy { next.holder(of: $0) == 3 })
  }

  @Test(
    "when only cordoned workers are left, the ranks of a lost one wait until a cordon is lifted")
  func nobodyElse() throws {
    let (mesh, job, table) = try running()
    _ = cordon(2, mesh)
    mesh.cut(1)
    #expect(mesh.reason(job).hasPrefix("waits for workers: worker-2 is cordoned"))
    #expect(mesh.table?.ranks(of: 2) == table.ranks(of: 2))
    #expect(table.ranks(of: 1).allSatisfy { mesh.table?.host(of: $0) == nil })
    _ = uncordon(2, mesh)
    #expect(mesh.table?.ranks(of: 2) == Array(0..<6) && mesh.reason(job).isEmpty)
  }

  @Test("a worker that comes back cordoned takes no share; lifting that gives it one")
  func comesDuringAJob() throws {
    let (mesh, job, _) = try running()
    _ = cordon(1, mesh)
    mesh.cut(1)
    mesh.join(sampleHello(9, name: "worker-1"))
    #expect(mesh.sent(to: 9) == [.welcome(term: 3, storeEndpoint: "tcp://store")])
    mesh.beat(2, job: job)
    #expect(mesh.table?.peer(of: WorkerID(incarnation: 9)) == nil)
    mesh.beat(9)
    #expect(mesh.sent(to: 9) == [.beat(term: 3), .cordon(true, term: 3)], "it is told")
    mesh.beat(9, isCordoned: true)
    #expect(mesh.sent(to: 9) == [.beat(term: 3)])
    _ = uncordon(1, mesh)
    #expect(mesh.table?.peer(of: WorkerID(incarnation: 9)) != nil)
    #expect(mesh.table?.hosts.contains { $0.duty == .handOver } == true)
  }

  @Test("a cordoned worker can be drained; nothing is handed over to one")
  func drain() throws {
    let (mesh, job, table) = try running(on: [1, 2, 3])
    _ = cordon(1, mesh)
    _ = cordon(2, mesh)
    #expect(standings(mesh.call(.drain("worker-1"))) == [.draining, .cordoned, .active])
    for worker in UInt64(1)...3 { mesh.report(worker, job: job, next: 5, copied: 5) }
    mesh.report(1, job: job, next: 5, copied: 5, isHandedOver: true)
    #expect(mesh.table?.ranks(of: 3) == (table.ranks(of: 1) + table.ranks(of: 3)).sorted())
    #expect(mesh.table?.ranks(of: 2) == table.ranks(of: 2))
    // With nobody but cordoned workers, a drain waits.
    mesh.call(.drain("worker-3"))
    #expect(mesh.table?.hosts.allSatisfy { $0.duty != .handOver } == true)
  }

  @Test("a restarted coordinator learns of it from the worker; one that has decided goes by that")
  func restart() throws {
    let mesh = CoordinatorHarness()
    mesh.join(1, 2)
    _ = try #require(mesh.queue(spec))
    _ = cordon(1, mesh)
    mesh.restart()
    mesh.join(sampleHello(1, isCordoned: true))
    mesh.join(2)
    #expect(standings(mesh.call(.workers)) == [.cordoned, .active])
    _ = uncordon(1, mesh)
    mesh.beat(1, isCordoned: true)
    #expect(mesh.sent(to: 1).contains(.cordon(false, term: 4)))
    // It was lifted while the worker couldn't hear it.
    mesh.cut(1)
    mesh.join(sampleHello(1, isCordoned: true))
    #expect(standings(mesh.call(.workers)) == [.active, .active])
  }

  @Test("it is idempotent, and nobody is cordoned who was never here")
  func calls() throws {
    let mesh = CoordinatorHarness()
    let refused = try #require(mesh.call(.cordon("worker-1", isLifted: false)))
    #expect(refused.code == .notFound && refused.message.contains("there are none"))
    mesh.join(1, 10, 2)
    for isLifted in [true, false] {
      let outcome = mesh.call(.cordon("w", isLifted: isLifted))
      #expect(outcome?.code == .notFound)
      #expect(outcome?.message.contains("there are worker-1, worker-2, worker-10") == true)
    }
    _ = cordon(1, mesh)
    #expect(cordon(1, mesh) == [.cordoned, .active, .active])
    #expect(mesh.observed(.workerCordoned).count == 1)
    // One that is away can be let in again.
    mesh.cut(1)
    #expect(uncordon(1, mesh) == [.active, .active])
    mesh.join(sampleHello(1, isCordoned: true))
    #expect(standings(mesh.call(.workers)) == [.active, .active, .active])
  }

  @Test("more cordons than workers there can be are refused; what was lifted makes room")
  func bound() throws {
    let mesh = CoordinatorHarness()
    let limit = UInt64(Limits.cordonsKeptMaximum)
    for number in 1...limit {
      mesh.join(number)
      #expect(cordon(number, mesh) == [.cordoned])
      mesh.cut(number)
    }
    mesh.join(limit + 1)
    let name = "worker-\(limit + 1)"
    #expect(mesh.call(.cordon(name, isLifted: false))?.code == .resourceExhausted)
    #expect(standings(mesh.call(.cordon(name, isLifted: true))) == [.active])
    _ = uncordon(5, mesh)
    #expect(standings(mesh.call(.cordon(name, isLifted: false))) == [.cordoned])
  }
}
