import MeshCore
import Testing

/// Each assignment of a rank has an epoch of its own, above all before it.
@Suite struct EpochTests {
  @Test("epochs and revisions only grow, over losses, moves and restarts", arguments: 1...4)
  func strictlyIncreasing(seed: Int) throws {
    var random = SplitMix64(seed: UInt64(seed))
    let (mesh, job, first) = try #require(
      CoordinatorHarness.running(on: [1, 2, 3], sampleJob(queries: 640, vranks: 8)))
    var ledger = Ledger(first)
    var term: UInt64 = 3
    for step in 0..<2_000 {
      let worker = UInt64(1 + random.below(6))
      switch random.below(24) {
      case 0, 1: mesh.send(.message(.goodbye, from: WorkerID(incarnation: worker)))
      case 2...5: mesh.join(worker)
      case 6:
        term += 1
        mesh.restart(term: term)
      case 7: mesh.call(.drain("worker-\(worker)"))
      case 8...11:
        mesh.report(worker, job: job, next: random.below(3), copied: 1, isHandedOver: true)
      default:
        mesh.now += .milliseconds(random.below(2) == 0 ? 30 : 290)
        for worker in UInt64(1)...6 where random.below(20) > 0 { mesh.beat(worker, job: job) }
        mesh.send(.tick)
      }
      for case .send(.assign(let table, _), _) in mesh.effects {
        let problem = ledger.problem(with: table)
        #expect(problem == nil, "seed \(seed), step \(step)")
      }
      #expect(mesh.table?.problem == nil, "step \(step)")
      try #require(mesh.disk[job]?.state == .running, "step \(step)")
    }
    #expect(ledger.hosts > 100, "\(ledger.hosts) changes of host")
  }

  /// What has been announced.
  private struct Ledger {
    /// Who was given a rank under an epoch.
    private var owners: [Epoch: (vrank: Int, worker: UInt64?)] = [:]
    private var newest: Assignment
    var hosts = 0

    init(_ table: Assignment) { newest = table }

    mutating func problem(with table: Assignment) -> String? {
      guard table.revision >= newest.revision else { return nil }
      if table.revision == newest.revision {
        return table == newest ? nil : "one revision, two tables"
      }
      for vrank in table.hosts.indices {
        let (epoch, before) = (table.hosts[vrank].epoch, newest.hosts[vrank].epoch)
        if epoch < before { return "rank \(vrank) went from \(before) to \(epoch)" }
        let host = table.host(of: vrank)
        if let owner = owners[epoch], owner != (vrank, host) { return "\(epoch) twice" }
        owners[epoch] = (vrank, host)
        if epoch == before, host != newest.host(of: vrank) { return "a host without an epoch" }
        if epoch != before { hosts += 1 }
        if table.revision <= epoch { return "a revision below an epoch in it" }
      }
      newest = table
      return nil
    }
  }

  @Test("a rank that stays where it is keeps its epoch when others move")
  func untouched() throws {
    let (mesh, _, table) = try #require(CoordinatorHarness.running(on: [1, 2, 3]))
    mesh.cut(2)
    let next = try #require(mesh.table)
    for vrank in table.hosts.indices where table.host(of: vrank) != 2 {
      #expect(next.hosts[vrank].epoch == table.hosts[vrank].epoch)
      #expect(next.host(of: vrank) == table.host(of: vrank))
      #expect(next.hosts[vrank].isFresh)
    }
    for vrank in table.ranks(of: 2) {
      #expect(next.hosts[vrank].epoch > table.revision && !next.hosts[vrank].isFresh)
    }
  }
}
