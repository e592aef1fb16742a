import MeshCore
import Testing

/// Ranks move to a worker that came while a job runs, and away from a slow one.
@Suite struct SharingTests {
  private let spec = sampleJob(queries: 6_144, mask: .full, vranks: 12)

  /// Whatever is asked for is handed over.
  private func handOver(_ mesh: CoordinatorHarness, _ job: JobID, from workers: [UInt64]) {
    for worker in workers {
      let ranks = mesh.table?.ranks(of: worker) ?? []
      let moving = ranks.filter { mesh.table?.hosts[$0].duty == .handOver }
      guard !moving.isEmpty else { continue }
      let restored = WorkerMessage.Restored(tier: .memory, next: 1)
      mesh.beat(
        worker, job: job,
        progress: moving.map {
          mesh.progress($0, next: 1, copied: 1, restored: restored, isHandedOver: true)
        })
    }
  }

  @Test("a joiner gets its share of the ranks", arguments: 1...5)
  func share(workers: Int) throws {
    let old = (1...UInt64(workers)).map { $0 }
    let (mesh, job, _) = try #require(CoordinatorHarness.running(on: old, spec))
    mesh.join(9)
    let asked = try #require(mesh.table)
    let moving = asked.hosts.indices.filter { asked.hosts[$0].duty == .handOver }
    #expect(moving.count == 12 / (workers + 1))
    #expect(asked.ranks(of: 9).isEmpty, "not before they are handed over")
    handOver(mesh, job, from: old)
    let loads = (old + [9]).map { mesh.table?.ranks(of: $0).count ?? 0 }
    #expect((loads.max() ?? 0) - (loads.min() ?? 0) <= 1, "\(loads)")
    #expect(mesh.table?.ranks(of: 9).sorted() == moving)
  }

  @Test("a joiner is a peer at once, so that copies can be kept there")
  func peer() throws {
    let (mesh, _, table) = try #require(CoordinatorHarness.running(on: [1], spec))
    #expect(table.hosts.allSatisfy { $0.holder == nil })
    mesh.join(2)
    let next = try #require(mesh.table)
    #expect(next.hosts.indices.allSatisfy { next.holder(of: $0) == 2 })
    #expect(mesh.sent(to: 2).contains(.assign(next, term: 3)))
  }

  @Test("a rank that is nearly done stays where it is")
  func nearlyDone() throws {
    let (mesh, job, _) = try #require(CoordinatorHarness.running(on: [1, 2], spec))
    for worker in [UInt64(1), 2] { mesh.report(worker, job: job, next: 22) }
    mesh.join(3)
    #expect(mesh.table?.hosts.allSatisfy { $0.duty == .fold } == true)
  }

  @Test("a worker that idles gets ranks of one that has several, though nobody joins")
  func idle() throws {
    let (mesh, job, table) = try #require(CoordinatorHarness.running(on: [1, 2, 3], spec))
    for rank in table.ranks(of: 2) {
      mesh.send(.store(.stored(job, VRank(rank), table.hosts[rank].epoch)))
    }
    mesh.pass(Limits.balanceInterval + .milliseconds(100), beating: [1, 2, 3], job: job)
    let asked = try #require(mesh.table)
    let moving = asked.hosts.indices.filter { asked.hosts[$0].duty == .handOver }
    #expect(!moving.isEmpty && moving.allSatisfy { asked.host(of: $0) != 2 })
    handOver(mesh, job, from: [1, 3])
    let next = try #require(mesh.table)
    #expect(moving.allSatisfy { next.host(of: $0) == 2 })
    let open = [UInt64(1), 2, 3].map { worker in
      next.ranks(of: worker).count { $0 < 0 || !table.ranks(of: 2).contains($0) }
    }
    #expect(open.allSatisfy { $0 >= 2 }, "\(open)")
    // Nothing goes back, and nothing moves where everybody has something to do.
    mesh.pass(.seconds(30), beating: [1, 2, 3], job: job)
    #expect(mesh.table == next)
  }

  @Test("a worker killed and started again isn't left without ranks: 3/0/3 becomes 2/2/2")
  func afterKills() throws {
    let small = sampleJob(queries: 6_144, mask: .full, vranks: 6)
    let (mesh, job, _) = try #require(CoordinatorHarness.running(on: [1, 2, 3], small))
    mesh.cut(2)
    #expect([UInt64(1), 3].map { mesh.table?.ranks(of: $0).count } == [3, 3])
    mesh.join(sampleHello(12, name: "worker-2"))
    // What it is to get can't be copied in time, and stays where it is.
    mesh.pass(Limits.handOverTimeout + .seconds(1), beating: [1, 3, 12], job: job)
    #expect(mesh.table?.hosts.allSatisfy { $0.duty == .fold } == true)
    #expect(mesh.table?.ranks(of: 12).isEmpty == true)
    mesh.pass(Limits.handOverInterval, beating: [1, 3, 12], job: job)
    handOver(mesh, job, from: [1, 3])
    #expect([UInt64(1), 12, 3].map { mesh.table?.ranks(of: $0).count } == [2, 2, 2])
  }

  @Test("nobody idles who has no memory for a share, and none is asked for its ranks in vain")
  func idleWithoutMemory() throws {
    let (mesh, job, _) = try #require(CoordinatorHarness.running(on: [1, 2], spec))
    mesh.join(sampleHello(3, memory: 1 << 20))
    mesh.pass(.milliseconds(100), beating: [1, 2, 3], job: job)
    handOver(mesh, job, from: [1, 2])
    mesh.pass(.seconds(30), beating: [1, 2, 3], job: job)
    let table = mesh.table
    mesh.pass(.seconds(30), beating: [1, 2, 3], job: job)
    #expect(mesh.table == table)
  }

  @Test("one that is too small makes nothing move when it joins")
  func tooSmall() throws {
    let (mesh, _, table) = try #require(CoordinatorHarness.running(on: [1, 2], spec))
    mesh.join(sampleHello(3, memory: 1 << 20))
    #expect(table.hosts.map(\.duty) == mesh.table?.hosts.map(\.duty))
    #expect(table.hosts.map(\.epoch) == mesh.table?.hosts.map(\.epoch))
  }

  @Test("a spare that joins takes nothing from workers that do well")
  func spare() throws {
    let (mesh, _, table) = try #require(CoordinatorHarness.running(on: [1, 2], spec))
    mesh.join(sampleHello(9, isSpare: true))
    #expect(mesh.table == table)
  }

  @Test("nothing moves in a job without protection")
  func withoutProtection() throws {
    let (mesh, _, table) = try #require(
      CoordinatorHarness.running(on: [1, 2], spec, isProtected: false))
    mesh.join(3)
    #expect(mesh.table == table)
  }

  @Test("a joiner of another arithmetic gets nothing")
  func otherArithmetic() throws {
    let (mesh, _, table) = try #require(CoordinatorHarness.running(on: [1, 2], spec))
    mesh.join(sampleHello(3, numerics: "muladd"))
    #expect(mesh.table == table)
  }

  // MARK: Stragglers

  /// Beats of three workers that fold a tile of each rank a round; worker 3 takes `factor` times as
  /// long for it.
  private func pace(
    _ mesh: CoordinatorHarness, _ job: JobID, factor: Double, rounds: Range<Int> = 1..<12
  ) {
    for round in rounds {
      for worker in [UInt64(1), 2, 3] {
        let seconds = Double(round) * 0.4 * (worker == 3 ? factor : 1)
        let ranks = mesh.table?.ranks(of: worker) ?? []
        mesh.beat(
          worker, job: job, progress: ranks.map { mesh.progress($0, next: round) },
          computeSeconds: seconds)
      }
    }
  }

  @Test("a worker that takes more than twice as long as the others is told of, once")
  func straggler() throws {
    let (mesh, job, table) = try #require(CoordinatorHarness.running(on: [1, 2, 3], spec))
    pace(mesh, job, factor: 1.9)
    #expect(mesh.observed(.straggler).isEmpty)
    let (other, second, _) = try #require(CoordinatorHarness.running(on: [1, 2, 3], spec))
    pace(other, second, factor: 2.5)
    let told = other.observed(.straggler)
    #expect(told.map(\.worker) == ["worker-3"])
    #expect(told.first?.detail == "takes 2.5 times as long for a tile")
    #expect(mesh.table == table && other.table?.hosts.allSatisfy { $0.duty == .fold } == true)
  }

  @Test("three slow tiles in a row make a straggler, not two")
  func threeInARow() throws {
    for (rounds, isTold) in [(4, false), (5, true)] {
      let (mesh, job, _) = try #require(CoordinatorHarness.running(on: [1, 2, 3], spec))
      // The first report is where counting begins.
      pace(mesh, job, factor: 3, rounds: 1..<rounds)
      #expect(mesh.observed(.straggler).isEmpty != isTold, "\(rounds)")
    }
  }

  @Test("by policy half of a straggler's ranks are given to others, and not back to it")
  func rehost() throws {
    let (mesh, job, table) = try #require(
      CoordinatorHarness.running(on: [1, 2, 3], spec, stragglers: .rehost))
    pace(mesh, job, factor: 3, rounds: 1..<5)
    let slow = table.ranks(of: 3)
    let asked = try #require(mesh.table)
    let moving = slow.filter { asked.hosts[$0].duty == .handOver }
    #expect(moving.count == 2 && slow.count == 4)
    handOver(mesh, job, from: [3])
    let next = try #require(mesh.table)
    #expect(next.ranks(of: 3).count == 2)
    #expect(moving.allSatisfy { [1, 2].contains(next.host(of: $0)) })
  }

  @Test("times that are no numbers are no reason for anything")
  func absurdTimes() throws {
    for seconds in [Double.nan, .infinity, -.infinity, 1e300, -1] {
      let (mesh, job, _) = try #require(CoordinatorHarness.running(on: [1, 2, 3], spec))
      for round in 1..<12 {
        for worker in [UInt64(1), 2, 3] {
          let ranks = mesh.table?.ranks(of: worker) ?? []
          mesh.beat(
            worker, job: job, progress: ranks.map { mesh.progress($0, next: round) },
            computeSeconds: worker == 3 ? seconds * Double(round) : Double(round))
        }
      }
      #expect(mesh.state(job) == .running)
    }
  }

  @Test("who took over ranks that are far on isn't fast because of it, nor the others slow")
  func takeover() throws {
    let (mesh, job, _) = try #require(CoordinatorHarness.running(on: [1, 2, 3], spec))
    pace(mesh, job, factor: 1, rounds: 1..<12)
    mesh.cut(3)
    for round in 12..<20 {
      for worker in [UInt64(1), 2] {
        let ranks = mesh.table?.ranks(of: worker) ?? []
        mesh.beat(
          worker, job: job,
          progress: ranks.map {
            mesh.progress(
              $0, next: round, restored: WorkerMessage.Restored(tier: .memory, next: 12))
          }, computeSeconds: Double(round) * 0.4)
      }
    }
    #expect(mesh.observed(.straggler).isEmpty)
  }
}
