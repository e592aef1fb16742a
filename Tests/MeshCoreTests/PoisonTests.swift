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

  @Test("three workers lost in a row at a rank that doesn't get on end the job")
  func threeStrikes() throws {
    let (mesh, job) = try running()
    let other = try #require(mesh.queue())
    for worker in UInt64(1)...3 {
      #expect(mesh.state(job) == .running, "before loss \(worker)")
      mesh.report(worker, job: job, next: 0)
      mesh.cut(worker)
      mesh.join(worker + 1)
    }
    #expect(mesh.state(job) == .failed)
    let reason = mesh.reason(job)
    #expect(reason.hasPrefix("3 workers in a row were lost at virtual rank 0"), "\(reason)")
    #expect(reason.contains("worker-3") && reason.hasSuffix("its connection broke"), "\(reason)")
    #expect(mesh.state(other) == .running, "the others go on")
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
      mesh.cut(worker)
    }
    #expect(mesh.state(job) == .failed)
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
