import Checksums
import MeshCore
import Testing

/// Hello, heartbeats, loss.
@Suite struct MemberTests {
  private func running() throws -> (CoordinatorHarness, JobID, Assignment) {
    let mesh = CoordinatorHarness()
    mesh.join(1, 2)
    let job = try #require(mesh.queue())
    return (mesh, job, try #require(mesh.assigned))
  }

  private func progress(_ table: Assignment, _ vrank: Int, next: Int, counter: UInt64? = nil)
    -> WorkerMessage.Progress
  {
    let epoch = table.hosts.indices.contains(vrank) ? table.hosts[vrank].epoch.counter : 1
    return WorkerMessage.Progress(
      vrank: VRank(vrank), epoch: Epoch(term: 3, counter: counter ?? epoch), next: next, needed: 3)
  }

  @Test("a worker lost while running fails the job, by rank, worker and tile", arguments: 0..<4)
  func loss(way: Int) throws {
    let (mesh, job, table) = try running()
    let waiting = try #require(mesh.queue())
    let vrank = try #require(table.hosts.lastIndex { $0.peer == 1 })
    for index in table.hosts.indices where table.hosts[index].peer == 1 {
      mesh.beat(2, job: job, progress: [progress(table, index, next: 1)])
    }
    let lost = WorkerID(incarnation: 2)
    var reason = ""
    switch way {
    case 0:
      mesh.send(.workerGone(lost, reason: "its connection broke"))
      reason = "was lost at K/V tile 1 of"
    case 1:
      for _ in 0..<10 {
        mesh.now += .milliseconds(100)
        mesh.beat(1, job: job)
        mesh.send(.tick)
      }
      reason = "no heartbeat for 1."
    case 2:
      mesh.send(.message(.goodbye, from: lost))
      reason = "it said goodbye"
    default:
      mesh.send(.message(.failed(job, VRank(vrank), step: 1, reason: "no memory"), from: lost))
      reason = "failed at K/V tile 1 of 3: no memory"
    }
    #expect(mesh.released(job).contains(1))
    #expect(mesh.assigned?.job == waiting)
    #expect(mesh.state(job) == .failed && mesh.state(waiting) == .running)
    let told = mesh.reason(job)
    #expect(told.contains(reason) && told.contains("worker-2"), "\(told)")
    let ranks = table.hosts.indices.filter { table.hosts[$0].peer == 1 }
    #expect(ranks.contains { told.hasPrefix("virtual rank \($0) ") }, "\(told)")
  }

  @Test("a worker with a job that only goes on saying hello is lost")
  func helloIsNoHeartbeat() throws {
    let (mesh, job, _) = try running()
    for _ in 0..<11 {
      mesh.now += .milliseconds(100)
      mesh.beat(1, job: job)
      mesh.send(.message(.hello(sampleHello(2)), from: WorkerID(incarnation: 2)))
      mesh.send(.tick)
    }
    #expect(mesh.state(job) == .failed)
    #expect(mesh.reason(job).contains("worker-2"))
  }

  @Test("silence is forgiven when the coordinator itself was late")
  func lateCoordinator() throws {
    let (mesh, job, _) = try running()
    mesh.send(.tick)
    mesh.now += .seconds(30)
    mesh.send(.tick)
    #expect(mesh.observed.contains { $0.kind == .coordinatorLate })
    #expect(mesh.state(job) == .running)
    for _ in 0..<11 {
      mesh.now += .milliseconds(100)
      mesh.send(.tick)
    }
    #expect(mesh.state(job) == .failed)
  }

  @Test("stale, backward, excessive and foreign progress is ignored")
  func staleProgress() throws {
    let (mesh, job, table) = try running()
    let mine = try #require(table.hosts.lastIndex { $0.peer == 0 })
    let other = try #require(table.hosts.lastIndex { $0.peer == 1 })
    func next(_ vrank: Int) -> Int? { mesh.status(job)?.ranks[vrank].next }
    mesh.beat(1, job: job, progress: [progress(table, mine, next: 1)])
    #expect(next(mine) == 1)
    let ignored = [
      progress(table, mine, next: 0), progress(table, mine, next: 4),
      progress(table, mine, next: .max), progress(table, mine, next: -1),
      progress(table, mine, next: .min), progress(table, mine, next: 2, counter: 0),
      progress(table, mine, next: 2, counter: 99), progress(table, other, next: 1),
      progress(table, -1, next: 1), progress(table, .max, next: 1), progress(table, .min, next: 1),
    ]
    mesh.beat(1, job: job, progress: ignored)
    #expect(next(mine) == 1 && next(other) == 0)
    mesh.beat(1, job: JobID(high: 0, low: 0), progress: [progress(table, mine, next: 2)])
    #expect(next(mine) == 1)
    // A heartbeat of a job that isn't active is answered with its release.
    #expect(mesh.sent(to: 1).isEmpty)
  }

  @Test("a heartbeat for a job that is over is answered with a release")
  func releaseAgain() throws {
    let (mesh, job, _) = try running()
    mesh.call(.cancel(job))
    mesh.beat(1, job: job)
    #expect(mesh.sent(to: 1) == [.beat(term: 3), .release(job, term: 3)])
  }

  @Test("a worker whose assignment was lost is told again until it names the job")
  func assignAgain() throws {
    let (mesh, job, table) = try running()
    mesh.beat(1)
    #expect(mesh.sent(to: 1).contains(.assign(table, term: 3)))
    mesh.beat(1, job: job)
    #expect(mesh.sent(to: 1) == [.beat(term: 3)])
  }

  @Test("nothing is believed before hello")
  func strangers() throws {
    let (mesh, job, table) = try running()
    let stranger = WorkerID(incarnation: 99)
    let messages: [WorkerMessage] = [
      .goodbye, .failed(job, VRank(0), step: 0, reason: "lies"),
      .heartbeat(
        WorkerMessage.Heartbeat(
          job: job, term: 9, progress: [progress(table, 0, next: 1)], traffic: Traffic(),
          residentBytes: 0)),
      .hello(sampleHello(1)),
    ]
    for message in messages {
      mesh.send(.message(message, from: stranger))
      #expect(mesh.effects.isEmpty)
    }
    mesh.send(.workerGone(stranger, reason: "gone"))
    #expect(mesh.effects.isEmpty && mesh.state(job) == .running)
  }

  @Test("only the host of a rank can fail it")
  func failedByAnother() throws {
    let (mesh, job, table) = try running()
    mesh.join(3)
    let other = try #require(table.hosts.firstIndex { $0.peer == 1 })
    for (worker, vrank) in [(3, 0), (1, other), (1, -1), (1, .max), (1, 6)] {
      mesh.send(
        .message(
          .failed(job, VRank(vrank), step: 0, reason: "lies"),
          from: WorkerID(incarnation: UInt64(worker))))
      #expect(mesh.state(job) == .running, "worker \(worker), rank \(vrank)")
    }
  }

  @Test("a name that is taken and another version are refused at hello")
  func refusals() {
    let mesh = CoordinatorHarness()
    mesh.join(1)
    mesh.join(sampleHello(2, name: "worker-1"))
    guard case .refused(.failedPrecondition, let reason) = mesh.sent(to: 2).first else {
      Issue.record("not refused")
      return
    }
    #expect(reason.contains("worker-1"))
    for version in [0, protocolVersion + 1, .min, .max] {
      mesh.join(sampleHello(3, version: version))
      guard case .refused(.failedPrecondition, let reason) = mesh.sent(to: 3).first else {
        Issue.record("version \(version) not refused")
        continue
      }
      #expect(reason.contains("\(version)"))
    }
    // Once the name is free again, it may be used.
    mesh.send(.message(.goodbye, from: WorkerID(incarnation: 1)))
    mesh.join(sampleHello(2, name: "worker-1"))
    #expect(mesh.sent(to: 2) == [.welcome(term: 3, storeEndpoint: "tcp://store")])
    mesh.join(sampleHello(2, name: "worker-1"))
    #expect(mesh.sent(to: 2).count == 1)
    #expect(mesh.observed.count { $0.kind == .workerJoined } == 2)
  }

  @Test("workers of different numerics never share a job")
  func mixedNumerics() throws {
    let mesh = CoordinatorHarness()
    for (number, numerics) in [(1, "muladd"), (2, "fma"), (3, "muladd"), (4, "fma"), (5, "fma")] {
      mesh.join(sampleHello(UInt64(number), numerics: numerics))
    }
    _ = mesh.queue()
    let table = try #require(mesh.assigned)
    #expect(table.peers.map(\.worker.incarnation) == [2, 4, 5])
  }

  @Test("ring order goes by name as a person counts, whoever joins first")
  func ringOrder() throws {
    let names = ["w2", "w10", "w1b", "w1", "w"]
    for shift in names.indices {
      let mesh = CoordinatorHarness()
      for index in names.indices {
        let name = names[(index + shift) % names.count]
        mesh.join(sampleHello(UInt64(index) + 1, name: name))
      }
      _ = mesh.queue()
      let table = try #require(mesh.assigned)
      let order = table.peers.map { names[(Int($0.worker.incarnation) - 1 + shift) % names.count] }
      #expect(order == ["w", "w1", "w2", "w10", "w1b"])
    }
  }
}
