import Checksums
import MeshCore
import Testing

/// Hello, heartbeats, loss.
@Suite struct MemberTests {
  private func running(isProtected: Bool = true) throws -> (CoordinatorHarness, JobID, Assignment) {
    let mesh = CoordinatorHarness()
    mesh.join(1, 2)
    let job = try #require(mesh.queue(isProtected: isProtected))
    return (mesh, job, try #require(mesh.assigned))
  }

  private func progress(_ table: Assignment, _ vrank: Int, next: Int, counter: UInt64? = nil)
    -> WorkerMessage.Progress
  {
    let epoch = table.hosts.indices.contains(vrank) ? table.hosts[vrank].epoch.counter : 1
    return WorkerMessage.Progress(
      vrank: VRank(vrank), epoch: Epoch(term: 3, counter: counter ?? epoch), next: next, needed: 3)
  }

  @Test("a worker lost while running is replaced: its ranks go on elsewhere", arguments: 0..<3)
  func loss(way: Int) throws {
    let (mesh, job, table) = try running()
    let waiting = try #require(mesh.queue())
    let (lost, kept) = (table.ranks(of: 2), table.ranks(of: 1))
    mesh.beat(2, job: job, progress: lost.map { progress(table, $0, next: 1) })
    lose(2, way, mesh, job)
    let next = try #require(mesh.table)
    #expect(next.job == job && next.revision > table.revision)
    #expect(next.ranks(of: 1) == kept + lost)
    for rank in lost { #expect(next.hosts[rank].epoch > table.hosts[rank].epoch) }
    for rank in kept { #expect(next.hosts[rank].epoch == table.hosts[rank].epoch) }
    #expect(mesh.state(job) == .running && mesh.state(waiting) == .queued)
    #expect(mesh.reason(job).isEmpty)
    let (reason, kind) = Self.told[way]
    #expect(mesh.observed(kind).contains { $0.detail.contains(reason) && $0.worker == "worker-2" })
  }

  private static let told: [(String, Observation.Kind)] = [
    ("its connection broke", .workerLost), ("no heartbeat for", .workerLost),
    ("it said goodbye", .workerLeft),
  ]

  private func lose(_ worker: UInt64, _ way: Int, _ mesh: CoordinatorHarness, _ job: JobID) {
    switch way {
    case 0:
      mesh.cut(worker)
      if mesh.state(job) == .running, mesh.table?.isProtected == false {
        mesh.send(.processEnded(name: "worker-\(worker)", reason: "its connection broke"))
      }
    case 1:
      for _ in 0..<10 {
        mesh.now += .milliseconds(100)
        mesh.beat(1, job: job)
        mesh.send(.tick)
      }
    default: mesh.send(.message(.goodbye, from: WorkerID(incarnation: worker)))
    }
  }

  @Test(
    "without protection a lost worker fails the job, by rank, worker and tile", arguments: [0, 2])
  func lossWithoutProtection(way: Int) throws {
    let (mesh, job, table) = try running(isProtected: false)
    let waiting = try #require(mesh.queue())
    let lost = table.ranks(of: 2)
    mesh.beat(2, job: job, progress: lost.map { progress(table, $0, next: 1) })
    lose(2, way, mesh, job)
    #expect(mesh.released(job).contains(1))
    #expect(mesh.assigned?.job == waiting)
    #expect(mesh.state(job) == .failed && mesh.state(waiting) == .running)
    let told = mesh.reason(job)
    #expect(told.hasPrefix("virtual rank \(lost[0]) on worker-2 (process 7)"), "\(told)")
    #expect(
      told.contains("was lost at K/V tile 1 of") && told.contains(Self.told[way].0), "\(told)")
  }

  @Test(
    "a host that can't go on fails the job, by rank, worker and tile", arguments: [true, false])
  func hostFails(isProtected: Bool) throws {
    let (mesh, job, table) = try running(isProtected: isProtected)
    let vrank = try #require(table.ranks(of: 2).last)
    mesh.send(
      .message(
        .failed(job, VRank(vrank), step: 1, reason: "no memory"),
        from: WorkerID(incarnation: 2)))
    #expect(mesh.released(job) == [1, 2])
    #expect(mesh.state(job) == .failed)
    #expect(
      mesh.reason(job)
        == "virtual rank \(vrank) on worker-2 failed at K/V tile 1 of 3: no memory")
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
    #expect(mesh.observed(.workerLost).map(\.worker) == ["worker-2"])
    #expect(mesh.table?.ranks(of: 2) == [] && mesh.state(job) == .running)
  }

  @Test("silence is forgiven when the coordinator itself was late")
  func lateCoordinator() throws {
    let (mesh, job, _) = try running()
    mesh.send(.tick)
    mesh.now += .seconds(30)
    mesh.send(.tick)
    #expect(mesh.observed.contains { $0.kind == .coordinatorLate })
    #expect(mesh.state(job) == .running)
    #expect(mesh.workers == ["worker-1", "worker-2"])
    for _ in 0..<11 {
      mesh.now += .milliseconds(100)
      mesh.send(.tick)
    }
    #expect(mesh.workers.isEmpty && mesh.state(job) == .running)
    #expect(mesh.reason(job).hasPrefix("waits for workers: worker-2 may come back"))
    mesh.pass(Limits.heartbeatTimeout)
    #expect(mesh.state(job) == .running && mesh.reason(job) == "waits for workers")
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
    #expect(mesh.sent(to: 1) == [.beat(term: 3), .release(job, isOver: true, term: 3)])
  }

  @Test("a worker whose assignment was lost is told again until it follows it")
  func assignAgain() throws {
    let (mesh, job, table) = try running()
    mesh.beat(1)
    #expect(mesh.sent(to: 1) == [.beat(term: 3), .assign(table, term: 3)])
    mesh.beat(1, job: job)
    #expect(mesh.sent(to: 1) == [.beat(term: 3)])
    // The table changes, and the worker has only the one before.
    mesh.cut(2)
    let next = try #require(mesh.table)
    mesh.beat(1, job: job, revision: table.revision)
    #expect(mesh.sent(to: 1) == [.beat(term: 3), .assign(next, term: 3)])
    mesh.beat(1, job: job, revision: next.revision)
    #expect(mesh.sent(to: 1) == [.beat(term: 3)])
  }

  @Test("a worker that was lost and comes back drops its role, and is given its share anew")
  func comesBack() throws {
    let (mesh, job, table) = try running()
    mesh.cut(2)
    let next = try #require(mesh.table)
    mesh.beat(2, job: job, revision: table.revision)
    #expect(mesh.effects.count == 1 && mesh.sent(to: 2) == [.introduce(term: 3)])
    mesh.join(2)
    let again = try #require(mesh.table)
    #expect(mesh.sent(to: 2).contains(.assign(again, term: 3)))
    #expect(again.peer(of: WorkerID(incarnation: 2)) != nil && again.ranks(of: 2).isEmpty)
    // Under its old epochs it is believed nothing.
    let vrank = table.ranks(of: 2)[0]
    mesh.beat(2, job: job, progress: [progress(table, vrank, next: 2)])
    #expect(mesh.status(job)?.ranks[vrank].next == 0)
    #expect(again.hosts[vrank].epoch == next.hosts[vrank].epoch)
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
      // It is asked who it is, unless it goes, or says hello for somebody else.
      let isAnswered = message != .hello(sampleHello(1)) && message != .goodbye
      #expect(mesh.sent(to: 99) == (isAnswered ? [.introduce(term: 3)] : []))
      #expect(mesh.effects.count == (isAnswered ? 1 : 0))
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

  private func refusal(_ mesh: CoordinatorHarness, _ worker: UInt64) -> (StatusCode, String)? {
    for case .refused(let code, let reason) in mesh.sent(to: worker) { return (code, reason) }
    return nil
  }

  @Test("a worker that was killed and started again under its name waits until the end is found")
  func nameOfADeadOne() throws {
    for isQuiet in [false, true] {
      let mesh = CoordinatorHarness()
      mesh.join(1)
      // A worker of a job without protection says nothing for seconds.
      if isQuiet { _ = mesh.queue(isProtected: false) }
      var waited = Duration.zero
      while true {
        mesh.join(sampleHello(2, name: "worker-1"))
        guard let (code, reason) = refusal(mesh, 2) else { break }
        #expect(code == .unavailable && reason.contains("worker-1 is here already"))
        #expect(mesh.sent(to: 1) == [.introduce(term: 3)], "it is asked")
        mesh.pass(.milliseconds(250))
        waited += .milliseconds(250)
        #expect(waited < .seconds(3))
        guard waited < .seconds(3) else { break }
      }
      #expect(mesh.workers == ["worker-1"] && mesh.observed(.workerRefused).isEmpty)
      #expect(mesh.observed(.workerLost).count == 1)
    }
  }

  @Test("a worker of a name whose owner answers is refused, whoever asked before")
  func nameOfALivingOne() throws {
    let mesh = CoordinatorHarness()
    mesh.join(1)
    for challenger in UInt64(2)...4 {
      var answers: [StatusCode] = []
      for _ in 0..<8 where answers.last != .failedPrecondition {
        mesh.join(sampleHello(challenger, name: "worker-1"))
        if let (code, _) = refusal(mesh, challenger) { answers.append(code) }
        mesh.pass(.milliseconds(250), beating: [1])
      }
      #expect(answers.first == .unavailable && answers.last == .failedPrecondition, "\(answers)")
      // What it said long ago proves nothing to the next one.
      mesh.pass(.seconds(3), beating: [1])
    }
    #expect(mesh.workers == ["worker-1"] && mesh.observed(.workerRefused).count == 3)
  }

  @Test("another version is refused at hello")
  func refusals() {
    let mesh = CoordinatorHarness()
    mesh.join(1)
    for version in [0, protocolVersion + 1, .min, .max] {
      mesh.join(sampleHello(3, version: version))
      guard case .refused(.failedPrecondition, let reason) = mesh.sent(to: 3).first else {
        Issue.record("version \(version) not refused")
        continue
      }
      #expect(
        reason.contains(
          "protocol version \(version) and this coordinator version \(protocolVersion);"))
    }
    // Once the name is free again, it may be used.
    mesh.send(.message(.goodbye, from: WorkerID(incarnation: 1)))
    mesh.join(sampleHello(2, name: "worker-1"))
    #expect(mesh.sent(to: 2) == [.welcome(term: 3, storeEndpoint: "tcp://store")])
    mesh.join(sampleHello(2, name: "worker-1"))
    #expect(mesh.sent(to: 2).count == 1)
    #expect(mesh.observed.count { $0.kind == .workerJoined } == 2)
  }

  @Test("a worker of another numerics fingerprint is refused at hello, by both fingerprints")
  func mixedNumerics() throws {
    let mesh = CoordinatorHarness()
    func isRefused(_ number: UInt64, _ numerics: String, by other: String) -> Bool {
      mesh.join(sampleHello(number, numerics: numerics))
      guard case .refused(.failedPrecondition, let reason)? = mesh.sent(to: number).first else {
        return false
      }
      let told = mesh.observed(.workerRefused).last
      return reason.contains("fingerprint is \(numerics) and that of this mesh is \(other);")
        && told?.worker == "worker-\(number)" && told?.detail == reason
    }
    mesh.join(sampleHello(1, numerics: "muladd"))
    #expect(isRefused(2, "fma", by: "muladd") && mesh.workers == ["worker-1"])
    // With nobody there the next one decides.
    mesh.cut(1)
    #expect(!isRefused(2, "fma", by: "muladd") && isRefused(1, "muladd", by: "fma"))
    // A job that runs goes on as it began, whoever comes first.
    let job = try #require(mesh.queue())
    mesh.cut(2)
    #expect(isRefused(1, "muladd", by: "fma") && mesh.state(job) == .running)
    mesh.restart()
    #expect(isRefused(1, "muladd", by: "fma"))
    mesh.join(sampleHello(3, numerics: "fma"))
    #expect(mesh.workers == ["worker-3"])
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
