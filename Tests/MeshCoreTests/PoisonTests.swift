import MeshCore
import Testing

/// A job that kills its workers must not eat them all; one that lives through many failures must not
/// end.
@Suite struct PoisonTests {
  private func running() throws -> (CoordinatorHarness, JobID) {
    let mesh = CoordinatorHarness()
    mesh.join(1)
    let job = try #require(mesh.queue(sampleJob(queries: 3_072, mask: .full, vranks: 3)))
    return (mesh, job)
  }

  @Test("three workers in a row that don't come back, at a rank that doesn't get on, end the job")
  func threeStrikes() throws {
    let (mesh, job) = try running()
    let other = try #require(mesh.queue())
    for worker in UInt64(1)...3 {
      #expect(mesh.state(job) == .running, "before loss \(worker)")
      mesh.report(worker, job: job, next: 0)
      mesh.cut(worker)
      mesh.join(worker + 1)
    }
    // Their connections broke: whether they have ended is not known yet. No fourth one is risked.
    #expect(mesh.state(job) == .running)
    #expect(mesh.table?.hosts.allSatisfy { $0.peer == nil } == true)
    let names = "worker-1, worker-2, worker-3"
    #expect(mesh.reason(job).hasPrefix("waits to learn whether \(names) have ended"))
    mesh.pass(Limits.returnTimeout + .milliseconds(200), beating: [4])
    #expect(mesh.state(job) == .failed)
    let reason = mesh.reason(job)
    #expect(reason.hasPrefix("3 workers in a row were lost at virtual rank 0"), "\(reason)")
    #expect(reason.contains("worker-3") && reason.hasSuffix("its connection broke"), "\(reason)")
    #expect(mesh.state(other) == .running, "the others go on")
  }

  @Test("whose end is seen, or told by another of its name, is not waited for", arguments: 0...2)
  func evidence(kind: Int) throws {
    let (mesh, job) = try running()
    for worker in UInt64(1)...3 {
      mesh.report(worker, job: job, next: 0)
      if kind == 0 {
        mesh.send(.processEnded(name: "worker-\(worker)", reason: "signal 6"))
      } else {
        mesh.cut(worker)
        if worker < 3 { #expect(mesh.state(job) == .running) }
        // Its supervisor says so, or has started it again.
        if kind == 1 {
          mesh.send(.processEnded(name: "worker-\(worker)", reason: "signal 6"))
        } else {
          mesh.join(sampleHello(worker + 10, name: "worker-\(worker)"))
          mesh.send(.message(.goodbye, from: WorkerID(incarnation: worker + 10)))
        }
      }
      mesh.join(worker + 1)
    }
    #expect(mesh.state(job) == .failed)
  }

  @Test("a rank that was held back goes on as soon as one of those is back")
  func withdrawn() throws {
    let (mesh, job) = try running()
    for worker in UInt64(1)...3 {
      mesh.report(worker, job: job, next: 0)
      mesh.cut(worker)
      mesh.join(worker + 1)
    }
    #expect(mesh.table?.hosts.allSatisfy { $0.peer == nil } == true)
    mesh.join(2)
    #expect(mesh.table?.hosts.allSatisfy { $0.peer != nil } == true && mesh.reason(job).isEmpty)
    mesh.pass(.seconds(20), beating: [2, 4], job: job)
    #expect(mesh.state(job) == .running)
  }

  @Test("workers that die at one moment are one strike: the later ones never had the rank")
  func atOneMoment() throws {
    let (mesh, job) = try running()
    for worker in UInt64(2)...6 { mesh.join(sampleHello(worker, isSpare: true)) }
    mesh.report(1, job: job, next: 0)
    for worker in UInt64(1)...5 { mesh.cut(worker) }
    #expect(mesh.state(job) == .running && mesh.table?.ranks(of: 6).count == 3)
    // One that had taken it up counts.
    for worker in UInt64(6)...7 {
      mesh.join(worker + 1)
      mesh.report(worker, job: job, next: 0)
      mesh.send(.processEnded(name: "worker-\(worker)", reason: "signal 6"))
    }
    mesh.join(9)
    mesh.pass(Limits.returnTimeout + .milliseconds(200), beating: [8, 9])
    #expect(mesh.state(job) == .failed)
  }

  @Test("all connections break again and again, and everybody comes back: no strike")
  func resets() throws {
    let spec = sampleJob(queries: 3_072, mask: .full, vranks: 9)
    let (mesh, job, _) = try #require(CoordinatorHarness.running(on: [1, 2, 3], spec))
    var random = SplitMix64(seed: 7)
    for round in 0..<60 {
      // In any order, and all within a few milliseconds.
      for worker in [[1, 2, 3], [3, 1, 2], [2, 3, 1]][round % 3] { mesh.cut(UInt64(worker)) }
      #expect(mesh.state(job) == .running, "round \(round): \(mesh.reason(job))")
      mesh.now += .milliseconds(Int(random.next() % 200))
      for worker in [[2, 1, 3], [1, 2, 3]][round % 2] {
        mesh.join(UInt64(worker))
        mesh.report(UInt64(worker), job: job, next: 0)
      }
      mesh.pass(.milliseconds(100), beating: [1, 2, 3], job: job)
    }
    mesh.pass(.seconds(20), beating: [1, 2, 3], job: job)
    #expect(mesh.state(job) == .running && mesh.reason(job).isEmpty)
    #expect(mesh.table?.hosts.allSatisfy { $0.peer != nil } == true)
  }

  @Test("a worker whose connection breaks again and again, and who comes back, is no strike")
  func flappingLink() throws {
    let (mesh, job) = try running()
    for _ in 0..<10 {
      mesh.report(1, job: job, next: 0)
      mesh.cut(1)
      mesh.now += .seconds(2)
      mesh.join(1)
    }
    #expect(mesh.state(job) == .running)
    // Nor do the same few of them count for more than they are.
    mesh.cut(1)
    mesh.join(2)
    mesh.report(2, job: job, next: 0)
    mesh.cut(2)
    mesh.join(1)
    mesh.report(1, job: job, next: 0)
    mesh.cut(1)
    #expect(mesh.state(job) == .running)
  }

  /// One worker that hosts everything, and whose connection breaks.
  private func alone(
    isClosed: Bool, isProtected: Bool = true
  ) throws -> (CoordinatorHarness, JobID, Assignment) {
    let mesh = CoordinatorHarness(isClosed: isClosed)
    mesh.join(1)
    let spec = sampleJob(queries: 3_072, mask: .full, vranks: 3)
    let job = try #require(mesh.queue(spec, isProtected: isProtected))
    mesh.beat(1, job: job)
    let table = try #require(mesh.table)
    mesh.cut(1)
    #expect(mesh.state(job) == .running && mesh.reason(job).contains("worker-1 may come back"))
    return (mesh, job, table)
  }

  @Test(
    "with nobody to take its ranks a worker keeps them, and goes on under its epochs when it is back",
    arguments: [true, false], [true, false])
  func keepsItsRanks(isClosed: Bool, isProtected: Bool) throws {
    let (mesh, job, table) = try alone(isClosed: isClosed, isProtected: isProtected)
    mesh.pass(.milliseconds(500))
    mesh.join(1)
    mesh.beat(1, job: job)
    #expect(mesh.sent(to: 1) == [.beat(term: 3)], "nothing has changed")
    #expect(mesh.table == table && mesh.reason(job).isEmpty)
    mesh.pass(.seconds(20), beating: [1], job: job)
    #expect(mesh.state(job) == .running && mesh.table == table)
  }

  @Test("in a closed mesh the end of every process ends the job, not that of connections")
  func closedMesh() throws {
    let (mesh, job, _) = try alone(isClosed: true)
    mesh.pass(.seconds(30))
    #expect(mesh.state(job) == .running, "\(mesh.reason(job))")
    mesh.send(.processEnded(name: "worker-1", reason: "its process ended with code 1"))
    #expect(mesh.state(job) == .failed)
    #expect(mesh.reason(job) == "every worker was lost, and nobody can join this mesh")
  }

  @Test("nor does silence: a machine that slept is no machine that died")
  func silentClosedMesh() throws {
    let mesh = CoordinatorHarness(isClosed: true)
    mesh.join(1)
    let job = try #require(mesh.queue())
    mesh.pass(.seconds(30))
    #expect(mesh.workers.isEmpty && mesh.state(job) == .running)
    mesh.join(1)
    #expect(mesh.table?.hosts.allSatisfy { $0.peer != nil } == true)
    mesh.send(.processEnded(name: "worker-1", reason: "its process ended with code 1"))
    #expect(mesh.state(job) == .failed)
  }

  @Test("where nobody listens any more its ranks are free at once, and it may still come back")
  func refused() throws {
    let mesh = CoordinatorHarness(isClosed: true)
    mesh.join(1)
    let job = try #require(mesh.queue())
    mesh.cut(1, isRefused: true)
    #expect(mesh.state(job) == .running && mesh.reason(job) == "waits for workers")
    mesh.join(1)
    #expect(mesh.table?.hosts.allSatisfy { $0.peer != nil } == true && mesh.reason(job).isEmpty)
  }

  @Test("somebody new takes at once what was left for want of others")
  func newcomer() throws {
    let (mesh, _, _) = try alone(isClosed: false)
    mesh.join(2)
    #expect(mesh.table?.ranks(of: 2).count == 3)
  }

  @Test("hung workers count as well", arguments: [true, false])
  func hangs(isHung: Bool) throws {
    let (mesh, job) = try running()
    for worker in UInt64(1)...3 {
      for count in 0..<25 {
        mesh.now += .milliseconds(99)
        mesh.beat(worker, job: job, computation: computation(itemsDone: isHung ? 5 : count))
        mesh.send(.tick)
      }
      mesh.join(worker + 1)
    }
    #expect(mesh.state(job) == (isHung ? .failed : .running))
  }

  @Test("with progress between the losses it doesn't end")
  func withProgress() throws {
    let (mesh, job) = try running()
    for worker in UInt64(1)...22 {
      // A tile further at every second loss is enough; in the end there is none left.
      let next = min(Int(worker) / 2, 11)
      let restored = WorkerMessage.Restored(tier: .slot, next: next)
      mesh.report(worker, job: job, next: next, durable: next, restored: restored)
      mesh.cut(worker)
      mesh.join(worker + 1)
      if mesh.state(job) == .failed {
        Issue.record("failed at loss \(worker): \(mesh.reason(job))")
        return
      }
    }
  }

  @Test("progress that nobody has copied is none: the next one would die at the same place")
  func uncopiedProgress() throws {
    let (mesh, job) = try running()
    for worker in UInt64(1)...3 {
      mesh.report(
        worker, job: job, next: Int(worker),
        restored: WorkerMessage.Restored(tier: .recompute, next: 0))
      mesh.cut(worker)
      mesh.join(worker + 1)
    }
    mesh.pass(Limits.returnTimeout + .milliseconds(200), beating: [4])
    #expect(mesh.state(job) == .failed)
  }

  @Test("workers that fall silent, leave or are drained are no strikes")
  func noCrashes() throws {
    let (mesh, job) = try running()
    for worker in UInt64(1)...12 {
      if worker % 2 == 0 {
        mesh.send(.message(.goodbye, from: WorkerID(incarnation: worker)))
      } else {
        for _ in 0..<10 {
          mesh.now += .milliseconds(99)
          mesh.send(.tick)
        }
      }
      #expect(mesh.workers.isEmpty)
      mesh.join(worker + 1)
      #expect(mesh.state(job) == .running)
    }
  }

  /// All heartbeats stop.
  private func silence(_ mesh: CoordinatorHarness) { mesh.pass(.seconds(1)) }

  /// So many workers take the ranks one after the other and fall silent, without getting on.
  private func silent(_ count: UInt64) throws -> (CoordinatorHarness, JobID) {
    let (mesh, job) = try running()
    for worker in 1...count {
      mesh.report(worker, job: job, next: 0)
      silence(mesh)
      #expect(mesh.workers.isEmpty)
      mesh.join(worker + 1)
    }
    #expect(mesh.state(job) == .running && mesh.table?.hosts.allSatisfy { $0.peer != nil } == true)
    return (mesh, job)
  }

  @Test("silence that was the process's end counts as soon as that is known", arguments: 0...1)
  func silenceProven(kind: Int) throws {
    let (mesh, job) = try silent(3)
    for worker in UInt64(1)...3 {
      #expect(mesh.state(job) == .running, "before proof \(worker)")
      if kind == 0 {
        mesh.send(.processEnded(name: "worker-\(worker)", reason: "signal 9"))
      } else {
        mesh.join(sampleHello(worker + 10, name: "worker-\(worker)"))
      }
    }
    #expect(mesh.state(job) == .failed)
    #expect(mesh.reason(job).hasPrefix("3 workers in a row were lost at virtual rank 0"))
    #expect(mesh.reason(job).contains("worker-3: no heartbeat"), "\(mesh.reason(job))")
  }

  @Test("whoever was silent and is back was no loss, whatever is proven of the others")
  func silenceWithdrawn() throws {
    let (mesh, job) = try silent(3)
    mesh.join(2)
    for worker in UInt64(1)...3 where worker != 2 {
      mesh.send(.processEnded(name: "worker-\(worker)", reason: "signal 9"))
    }
    #expect(mesh.state(job) == .running)
    // Its own end is one more.
    mesh.report(4, job: job, next: 0)
    mesh.send(.processEnded(name: "worker-4", reason: "signal 9"))
    #expect(mesh.state(job) == .failed)
  }

  @Test("ends that are proven late say nothing about a rank that has got on since")
  func silenceBeforeProgress() throws {
    let (mesh, job) = try silent(3)
    mesh.report(4, job: job, next: 2, copied: 2)
    mesh.report(4, job: job, next: 0)
    for worker in UInt64(1)...3 {
      mesh.send(.processEnded(name: "worker-\(worker)", reason: "signal 9"))
    }
    #expect(mesh.state(job) == .running)
  }

  @Test("workers that fall silent at one moment and turn out to have ended are one strike")
  func silenceAtOneMoment() throws {
    let (mesh, job) = try running()
    for worker in UInt64(2)...5 { mesh.join(sampleHello(worker, isSpare: true)) }
    mesh.report(1, job: job, next: 0)
    mesh.pass(.seconds(2), beating: [])
    mesh.join(6)
    for worker in UInt64(1)...5 {
      mesh.send(.processEnded(name: "worker-\(worker)", reason: "power loss"))
    }
    #expect(mesh.state(job) == .running, "\(mesh.reason(job))")
  }

  @Test("strikes count by rank: a worker's death is no strike at the ranks of others")
  func byRank() throws {
    let (mesh, job, table) = try #require(
      CoordinatorHarness.running(
        on: [1, 2, 3], sampleJob(queries: 3_072, mask: .full, vranks: 9)))
    // Each loses its worker once, some twice; none three times.
    _ = table
    mesh.cut(1)
    mesh.join(4)
    mesh.cut(2)
    mesh.join(5)
    #expect(mesh.state(job) == .running)
    let struck = mesh.status(job)?.recoveries.map(\.vrank.index) ?? []
    #expect(struck.count >= 6 && struck.allSatisfy { rank in struck.count { $0 == rank } < 3 })
  }
}
