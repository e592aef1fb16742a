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
