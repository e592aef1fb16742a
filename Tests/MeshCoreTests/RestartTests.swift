import Checksums
import MeshCore
import Testing

/// A coordinator that takes over from one that died.
@Suite struct RestartTests {
  private func running(on workers: [UInt64] = [1, 2]) throws -> (
    CoordinatorHarness, JobID, Assignment
  ) {
    try #require(CoordinatorHarness.running(on: workers))
  }

  @Test("what workers had sent is told after a restart, too")
  func traffic() throws {
    let (mesh, job, _) = try #require(CoordinatorHarness.running())
    mesh.storeAll(try #require(mesh.table))
    mesh.send(.store(.finished(job, digests: [sampleDigest(4), sampleDigest(5)])))
    for worker: UInt64 in [1, 2] {
      mesh.beat(worker, job: job, computeSeconds: 6.5, isLast: true)
    }
    #expect(mesh.state(job) == .done)
    let before = try #require(mesh.status(job)?.workers)
    mesh.restart(after: .seconds(1))
    #expect(mesh.status(job)?.workers == before)
    #expect(before.map(\.traffic.computeSeconds) == [6.5, 6.5])
    #expect(before.map(\.residentBytes) == [1, 1])
  }

  @Test("it announces the same table under the same epochs to whoever lacks it")
  func sameTable() throws {
    let (mesh, job, table) = try running()
    mesh.restart()
    mesh.send(.tick)
    let restarted = try #require(mesh.observed(.coordinatorRestarted).first)
    #expect(restarted.detail == "term 4: 1 job known, 1 not ended")
    // A worker that goes on is asked who it is; it keeps what it has.
    mesh.beat(1, job: job)
    #expect(mesh.sent(to: 1) == [.introduce(term: 4)])
    mesh.join(1)
    #expect(mesh.sent(to: 1) == [.welcome(term: 4, storeEndpoint: "tcp://store")])
    mesh.beat(1, job: job, revision: table.revision)
    #expect(mesh.sent(to: 1) == [.beat(term: 4)])
    // One that had not heard of the table hears of it now, as it was.
    mesh.join(2)
    mesh.beat(2)
    #expect(mesh.sent(to: 2) == [.beat(term: 4), .assign(table, term: 4)])
    #expect(mesh.state(job) == .running && mesh.commitNumbers.count > 0)
    #expect(mesh.disk[job]?.run?.table == table)
  }

  @Test("the store is told to go on where it was")
  func storeGoesOn() throws {
    let (mesh, job, table) = try running()
    mesh.send(.store(.stored(job, VRank(1), table.hosts[1].epoch)))
    mesh.restart()
    mesh.send(.tick)
    guard case .reopen(job, _, client: _, needsInputs: true)? = mesh.commands.first,
      case .begin(let begun, plan: _, let isFinal)? = mesh.commands.last
    else {
      Issue.record("\(mesh.commands)")
      return
    }
    #expect(mesh.commands.count == 2 && begun == table)
    #expect(isFinal == [false, true, false, false, false, false])
    #expect(mesh.status(job)?.ranks.map(\.isFinal) == isFinal)
    // Once is enough.
    mesh.send(.tick)
    #expect(mesh.commands.isEmpty)
  }

  @Test("workers have 3 s to come back; the ranks of those that don't are hosted elsewhere")
  func awaited() throws {
    let (mesh, job, table) = try running(on: [1, 2, 3])
    mesh.step = .zero
    mesh.restart()
    let start = mesh.now
    mesh.join(1)
    mesh.join(3)
    while mesh.now < start + Limits.rejoinTimeout {
      #expect(mesh.assigned == nil)
      mesh.now += .milliseconds(100)
      mesh.beat(1, job: job, revision: table.revision)
      mesh.beat(3, job: job, revision: table.revision)
      mesh.send(.tick)
    }
    #expect(mesh.now == start + Limits.rejoinTimeout)
    let next = try #require(mesh.assigned)
    #expect(next.ranks(of: 2).isEmpty)
    for vrank in table.ranks(of: 2) {
      #expect(next.hosts[vrank].epoch.term == 4)
      #expect([1, 3].contains(next.host(of: vrank)))
    }
    for vrank in table.ranks(of: 1) + table.ranks(of: 3) {
      #expect(next.hosts[vrank].epoch == table.hosts[vrank].epoch)
    }
    #expect(
      mesh.observed(.workerLost).map(\.detail)
        == ["it did not come back to the restarted coordinator"])
    #expect(mesh.status(job)?.recoveries.map(\.cause).first == "it did not come back")
  }

  @Test("who comes back in time keeps its ranks, and progress goes on")
  func backInTime() throws {
    let (mesh, job, table) = try running()
    mesh.restart()
    for _ in 0..<50 {
      mesh.now += .milliseconds(99)
      for worker in [UInt64(1), 2] {
        mesh.report(worker, job: job, next: 1)
        if !mesh.sent(to: worker).contains(.beat(term: 4)) { mesh.join(worker) }
      }
      mesh.send(.tick)
    }
    #expect(mesh.table == table && mesh.disk[job]?.run?.table == table)
    #expect(mesh.status(job)?.ranks.allSatisfy { $0.next == 1 } == true)
    #expect(mesh.status(job)?.recoveries.isEmpty == true)
    mesh.storeAll(table)
    #expect(mesh.state(job) == .finishing)
  }

  @Test("a worker that is cut off while it is awaited is awaited for its full time")
  func cutWhileAwaited() throws {
    let (mesh, job, table) = try running()
    mesh.restart()
    mesh.cut(2)
    #expect(mesh.effects.allSatisfy { if case .send = $0 { false } else { true } })
    mesh.join(2)
    mesh.beat(2, job: job, revision: table.revision)
    #expect(mesh.sent(to: 2) == [.beat(term: 4)])
  }

  @Test("messages of the worker's last term are no obstacle to newer epochs")
  func higherTerm() throws {
    let (mesh, job, table) = try running()
    mesh.restart(term: 9)
    mesh.join(1)
    mesh.join(2)
    mesh.cut(2)
    let next = try #require(mesh.table)
    #expect(next.revision.term == 9 && next.revision > table.revision)
    #expect(next.ranks(of: 1).count == 6 && mesh.state(job) == .running)
  }

  @Test("the same request id after a restart gives the same reply; other content is refused")
  func requestIDs() throws {
    let mesh = CoordinatorHarness()
    mesh.join(1, 2, 3)
    let job = try #require(mesh.queue(id: 1))
    let request = SubmitRequest(spec: sampleJob(queries: 600), deadlineSeconds: 0)
    let reply = try #require(mesh.call(.submit(request), id: 1)?.submitted)
    #expect(reply.job == job)
    mesh.restart()
    #expect(mesh.call(.submit(request), id: 1)?.submitted == reply)
    #expect(mesh.commands.allSatisfy { if case .create = $0 { false } else { true } })
    var other = request
    other.spec.scale = 0.25
    #expect(mesh.call(.submit(other), id: 1)?.code == .alreadyExists)
    other = request
    other.isProtected = false
    #expect(mesh.call(.submit(other), id: 1)?.code == .alreadyExists)
    #expect(mesh.call(.submit(request), id: 2)?.code == nil, "another id is another job")
  }

  @Test("a submit that wasn't on disk never happened: its request id is free")
  func lostSubmit() throws {
    let mesh = CoordinatorHarness()
    mesh.commitsAtOnce = false
    #expect(mesh.submit(id: 1) == nil && mesh.pending != nil)
    mesh.restart()
    mesh.commitsAtOnce = true
    let other = sampleJob(queries: 601)
    #expect(mesh.submit(other, id: 1) != nil)
    #expect(mesh.observed(.coordinatorRestarted).isEmpty, "there was nothing on disk")
  }

  @Test("of two jobs under one id, the first one refused, a retry gets the second")
  func retriedID() throws {
    let mesh = CoordinatorHarness()
    let first = try #require(mesh.submit(id: 1))
    mesh.send(.store(.failed(first, CallFailure(.resourceExhausted, "the disk is full"))))
    let second = try #require(mesh.submit(id: 1))
    mesh.send(.store(.created(second)))
    mesh.restart()
    let request = SubmitRequest(spec: sampleJob(queries: 600), deadlineSeconds: 0)
    #expect(mesh.call(.submit(request), id: 1)?.submitted?.job == second)
  }

  @Test("a job that was still being uploaded fails, and says what to do")
  func uploading() throws {
    for isSealing in [false, true] {
      let mesh = CoordinatorHarness()
      let job = try #require(mesh.submit())
      mesh.send(.store(.created(job)))
      if isSealing { mesh.call(.start(job)) }
      mesh.restart()
      mesh.send(.tick)
      #expect(mesh.state(job) == .failed)
      #expect(mesh.reason(job).hasSuffix("submit it again"))
      #expect(mesh.disk[job]?.state == .failed)
      // Its room is found again only to be given back.
      mesh.restart(term: 5)
      mesh.send(.tick)
      #expect(mesh.commands.isEmpty && mesh.state(job) == .failed)
    }
  }

  @Test("a queued job keeps its place and runs when workers come")
  func queued() throws {
    let mesh = CoordinatorHarness()
    let jobs = try (0..<3).map { _ in try #require(mesh.queue()) }
    mesh.restart()
    mesh.send(.tick)
    #expect(mesh.commands.count == 3)
    #expect(jobs.map { mesh.status($0)?.queuePosition } == [1, 2, 3])
    mesh.join(1)
    #expect(mesh.assigned == nil, "the others may still come, and it is cut for all of them")
    mesh.join(2)
    mesh.now += Limits.rejoinTimeout
    for worker in UInt64(1)...2 { mesh.beat(worker) }
    #expect(mesh.table?.job == jobs[0] && mesh.table?.peers.count == 2)
    #expect(mesh.table?.hosts.allSatisfy { $0.epoch.term == 4 } == true)
  }

  @Test("without protection, workers that speak every 5 s have the time for it")
  func awaitedWithoutProtection() throws {
    let (mesh, job, _) = try #require(CoordinatorHarness.running(isProtected: false))
    mesh.restart()
    for _ in 0..<60 {
      mesh.now += .milliseconds(100)
      mesh.send(.tick)
    }
    #expect(mesh.state(job) == .running)
    mesh.join(1, 2)
    for _ in 0..<60 {
      mesh.now += .milliseconds(100)
      mesh.send(.tick)
    }
    #expect(mesh.state(job) == .running)
  }

  @Test("a finishing job is finished, without its workers if they don't come back")
  func finishing() throws {
    let (mesh, job, table) = try running()
    mesh.storeAll(table)
    #expect(mesh.state(job) == .finishing)
    mesh.restart()
    mesh.send(.tick)
    let asksToFinish = mesh.commands.contains { if case .finish(job) = $0 { true } else { false } }
    #expect(asksToFinish)
    mesh.send(.store(.finished(job, digests: [sampleDigest(4), sampleDigest(5)])))
    #expect(mesh.state(job) == .done)
    #expect(mesh.call(.result(job))?.code == .ok)
  }

  @Test("a job that is done can be fetched; a terminal job stays as it was")
  func terminal() throws {
    let (mesh, job, table) = try running()
    mesh.storeAll(table)
    mesh.finish(job)
    let cancelled = try #require(mesh.queue())
    mesh.call(.cancel(cancelled))
    let failed = try #require(mesh.submit())
    mesh.send(.store(.failed(failed, CallFailure(.internal, "I/O error"))))
    mesh.restart()
    mesh.send(.tick)
    #expect(mesh.commands.count == 1)
    guard case .reopen(job, _, client: _, needsInputs: false)? = mesh.commands.first else {
      Issue.record("\(mesh.commands)")
      return
    }
    guard case .success(.result(let result)) = mesh.call(.result(job)) else {
      Issue.record("no result")
      return
    }
    #expect(result.status.outputDigest == sampleDigest(4))
    #expect(mesh.state(cancelled) == .cancelled && mesh.reason(cancelled) == "cancelled by ann")
    #expect(mesh.state(failed) == .failed && mesh.reason(failed) == "I/O error")
    mesh.call(.discard(job))
    mesh.restart(term: 5)
    mesh.send(.tick)
    #expect(mesh.commands.isEmpty && mesh.call(.result(job))?.code == .notFound)
  }

  @Test("a deadline goes on from submit, over restarts")
  func deadline() throws {
    let mesh = CoordinatorHarness()
    let job = try #require(mesh.queue(deadline: 10))
    for term in UInt64(4)...6 {
      // Nothing is written while it waits, and it goes on while no coordinator runs.
      mesh.restart(term: term, after: .seconds(3))
      mesh.send(.tick)
      #expect(mesh.state(job) == .queued, "term \(term)")
    }
    mesh.now += .milliseconds(900)
    mesh.send(.tick)
    #expect(mesh.state(job) == .queued)
    mesh.now += .milliseconds(100)
    mesh.send(.tick)
    #expect(mesh.state(job) == .failed)
  }

  @Test("a result is kept for its time, over restarts")
  func retention() throws {
    let mesh = CoordinatorHarness(retention: .seconds(10))
    mesh.join(1, 2)
    let job = try #require(mesh.queue())
    mesh.storeAll(try #require(mesh.table))
    mesh.finish(job)
    for term in UInt64(4)...5 {
      mesh.restart(term: term, after: .seconds(4))
      mesh.send(.tick)
      #expect(mesh.call(.result(job))?.code == .ok)
    }
    mesh.now += .seconds(2)
    mesh.send(.tick)
    #expect(mesh.call(.result(job))?.code == .notFound)
  }

  @Test("results stored under committed epochs count; those of older epochs don't")
  func storedAfterRestart() throws {
    let (mesh, job, table) = try running()
    mesh.restart()
    let old = Epoch(term: 3, counter: 0)
    mesh.send(.store(.stored(job, VRank(0), old)))
    #expect(mesh.status(job)?.ranks.first?.isFinal == false)
    mesh.send(.store(.stored(job, VRank(0), table.hosts[0].epoch)))
    #expect(mesh.status(job)?.ranks.first?.isFinal == true)
  }

  @Test("a crash at every commit on a job's way loses nothing that was told", arguments: 0..<12)
  func crashAtEachCommit(count: Int) throws {
    let mesh = CoordinatorHarness()
    mesh.commitsAtOnce = false
    var left = count
    var term: UInt64 = 3
    var told: [JobID: JobState] = [:]
    func settle() {
      while mesh.pending != nil {
        if left == 0 {
          left = -1
          term += 1
          mesh.restart(term: term)
          mesh.send(.tick)
          for worker in [UInt64(1), 2] { mesh.join(worker) }
          continue
        }
        left -= 1
        mesh.commit()
      }
    }
    for worker in [UInt64(1), 2] { mesh.join(worker) }
    for _ in 0..<3 {
      mesh.call(.submit(SubmitRequest(spec: sampleJob(queries: 600), deadlineSeconds: 0)), id: 1)
      settle()
      guard let job = mesh.disk.values.first(where: { !$0.state.isTerminal })?.job else { continue }
      mesh.send(.store(.created(job)))
      settle()
      mesh.call(.start(job), id: 2)
      settle()
      mesh.send(.store(.sealed(job, sampleInputs)))
      settle()
      if let table = mesh.disk[job]?.run?.table {
        for (vrank, host) in table.hosts.enumerated() {
          mesh.send(.store(.stored(job, VRank(vrank), host.epoch)))
          settle()
        }
        mesh.send(.store(.finished(job, digests: [sampleDigest(4), sampleDigest(5)])))
        settle()
        for worker in [UInt64(1), 2] { mesh.beat(worker, job: job, isLast: true) }
        settle()
      }
      told[job] = mesh.disk[job]?.state
      if told[job] == .done { break }
    }
    // It was done, unless the crash fell into the upload: then it says so.
    for (job, state) in told.sorted(by: { $0.key < $1.key }) {
      #expect(state == .done || mesh.reason(job).contains("submit it again"), "\(state)")
    }
  }
}
