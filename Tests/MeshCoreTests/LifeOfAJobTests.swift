import Checksums
import MeshCore
import Testing

/// From submit to the end, on every way there is.
@Suite struct LifeOfAJobTests {
  /// Brings a job into a state that isn't terminal.
  private func bring(to state: JobState, _ mesh: CoordinatorHarness, deadline: Double = 0)
    -> JobID?
  {
    if state.rawValue >= JobState.running.rawValue { mesh.join(1, 2) }
    if state.rawValue >= JobState.queued.rawValue {
      let job = mesh.queue(deadline: deadline)
      if state == .finishing, let assigned = mesh.assigned { mesh.storeAll(assigned) }
      return job
    }
    guard let job = mesh.submit(deadline: deadline) else { return nil }
    mesh.send(.store(.created(job)))
    if state == .sealing { mesh.call(.start(job), id: 77) }
    return job
  }

  static let live: [JobState] = [.uploading, .sealing, .queued, .running, .finishing]

  @Test("a job goes from submit to done, and its digests are told")
  func done() throws {
    let mesh = CoordinatorHarness()
    mesh.join(1, 2)
    let job = try #require(mesh.submit(id: 1))
    #expect(mesh.reply(to: 1) == nil)
    mesh.send(.store(.created(job)))
    #expect(mesh.reply(to: 1)?.submitted?.storeEndpoint == "tcp://store")
    #expect(mesh.state(job) == .uploading)
    mesh.call(.start(job), id: 2)
    #expect(mesh.commands.count == 1 && mesh.reply(to: 2) == nil)
    mesh.send(.store(.sealed(job, sampleInputs)))
    #expect(mesh.reply(to: 2)?.status?.summary.state == .queued)
    let assignment = try #require(mesh.assigned)
    #expect(assignment.problem == nil && assignment.peers.count == 2)
    #expect(mesh.sent(to: 1).count == 1 && mesh.sent(to: 2).count == 1)
    #expect(mesh.state(job) == .running)

    for (index, host) in assignment.hosts.enumerated() {
      mesh.send(.store(.stored(job, VRank(index), host.epoch)))
      let acknowledged = mesh.commands.contains { command in
        if case .acknowledge(job, VRank(index), host.epoch) = command { return true }
        return false
      }
      #expect(acknowledged)
    }
    #expect(mesh.released(job) == [1, 2])
    #expect(mesh.state(job) == .finishing)
    mesh.finish(job)
    guard case .success(.result(let result)) = mesh.call(.result(job)) else {
      Issue.record("no result")
      return
    }
    #expect(result.status.outputDigest == sampleDigest(4))
    #expect(result.status.logSumExpDigest == sampleDigest(5))
    #expect(result.status.summary.folded == result.status.summary.total)
    #expect(result.status.ranks.allSatisfy { $0.isFinal })
  }

  @Test("cancel ends a job in every state, once", arguments: live)
  func cancel(state: JobState) throws {
    let mesh = CoordinatorHarness()
    let job = try #require(bring(to: state, mesh))
    #expect(mesh.state(job) == state)
    #expect(mesh.call(.cancel(job))?.status?.summary.state == .cancelled)
    let isPlaced = state == .running || state == .finishing
    #expect(mesh.released(job) == (isPlaced ? [1, 2] : []))
    #expect(mesh.commands.count == 1)
    if state == .sealing { #expect(mesh.reply(to: 77)?.code == .aborted) }
    #expect(mesh.call(.cancel(job))?.status?.summary.state == .cancelled)
    #expect(mesh.call(.result(job))?.code == .failedPrecondition)
    #expect(mesh.reason(job) == "cancelled by ann")
  }

  @Test("a failing store fails the job in every state, with its message", arguments: live)
  func storeFailure(state: JobState) throws {
    let mesh = CoordinatorHarness()
    let job = try #require(bring(to: state, mesh))
    mesh.send(.store(.failed(job, CallFailure(.resourceExhausted, "the disk is full"))))
    if state == .sealing { #expect(mesh.reply(to: 77)?.code == .resourceExhausted) }
    #expect(mesh.state(job) == .failed)
    #expect(mesh.reason(job) == "the disk is full")
    mesh.send(.store(.failed(job, CallFailure(.internal, "once more"))))
    #expect(mesh.effects.isEmpty)
  }

  @Test("a store that can't make room fails the submit itself")
  func storeRefusesRoom() throws {
    let mesh = CoordinatorHarness()
    let job = try #require(mesh.submit(id: 1))
    mesh.send(.store(.failed(job, CallFailure(.resourceExhausted, "the disk is full"))))
    #expect(mesh.reply(to: 1)?.code == .resourceExhausted)
    #expect(mesh.state(job) == .failed)
  }

  @Test("a deadline ends a job in every state, and says in which", arguments: live)
  func deadline(state: JobState) throws {
    let mesh = CoordinatorHarness()
    let job = try #require(bring(to: state, mesh, deadline: 2.5))
    for _ in 0..<30 {
      mesh.now += .milliseconds(99)
      mesh.beat(1)
      mesh.beat(2)
      mesh.send(.tick)
    }
    #expect(mesh.state(job) == .failed)
    #expect(mesh.reason(job) == "its deadline of 2.5 s passed while it was \(state.name)")
  }

  @Test("deadlines that mean nothing are none", arguments: [-1, 0, .nan, .infinity, 1e300])
  func noDeadline(seconds: Double) throws {
    let mesh = CoordinatorHarness()
    let job = try #require(mesh.queue(deadline: seconds))
    mesh.now += .seconds(100_000)
    mesh.send(.tick)
    #expect(mesh.state(job) == .queued)
  }

  @Test("an upload that stalls is given up; one that trickles is not")
  func uploadTimeout() throws {
    let mesh = CoordinatorHarness()
    let job = try #require(bring(to: .uploading, mesh))
    for _ in 0..<5 {
      mesh.now += Limits.uploadTimeout - .seconds(1)
      mesh.send(.tick)
      #expect(mesh.state(job) == .uploading)
      mesh.send(.store(.received(job)))
    }
    mesh.now += Limits.uploadTimeout
    mesh.send(.tick)
    #expect(mesh.state(job) == .failed)
    #expect(mesh.reason(job).hasPrefix("no tensor bytes for 60."))
  }

  @Test("a result that nobody fetched is dropped after the retention; the record stays")
  func retention() throws {
    let mesh = CoordinatorHarness(retention: .seconds(100))
    let job = try #require(bring(to: .finishing, mesh))
    mesh.finish(job)
    mesh.now += .seconds(90)
    mesh.send(.tick)
    #expect(mesh.call(.result(job))?.code == .ok)
    mesh.now += .seconds(10)
    mesh.send(.tick)
    #expect(mesh.call(.result(job))?.code == .notFound)
    #expect(mesh.state(job) == .done)
    mesh.send(.tick)
    #expect(mesh.observed.count { $0.kind == .jobDiscarded } == 1)
  }

  @Test("a finishing job waits for its workers' last words, but not long", arguments: 0..<3)
  func lastWords(way: Int) throws {
    let mesh = CoordinatorHarness()
    let job = try #require(bring(to: .finishing, mesh))
    mesh.send(
      .message(
        .failed(job, VRank(0), step: 1, reason: "too late"), from: WorkerID(incarnation: 1)))
    #expect(mesh.state(job) == .finishing, "its result is whole: nobody can fail it any more")
    mesh.send(.store(.finished(job, digests: [sampleDigest(4), sampleDigest(5)])))
    mesh.beat(1, job: job, isLast: true)
    #expect(mesh.state(job) == .finishing)
    switch way {
    case 0: mesh.beat(2, job: job, isLast: true)
    case 1: mesh.send(.workerGone(WorkerID(incarnation: 2), reason: "its connection broke"))
    default:
      mesh.now += Limits.heartbeatTimeout
      mesh.send(.tick)
    }
    #expect(mesh.state(job) == .done)
  }

  @Test("discard frees a terminal job's room and refuses a live one")
  func discard() throws {
    let mesh = CoordinatorHarness()
    let job = try #require(bring(to: .finishing, mesh))
    #expect(mesh.call(.discard(job))?.code == .failedPrecondition)
    mesh.finish(job)
    #expect(mesh.call(.discard(job))?.code == .ok)
    #expect(mesh.commands.count == 1)
    #expect(mesh.call(.discard(job))?.code == .ok)
    #expect(mesh.commands.isEmpty)
    #expect(mesh.call(.result(job))?.code == .notFound)
  }

  @Test("start before the store has made room is refused, and the job can still be started")
  func earlyStart() throws {
    let mesh = CoordinatorHarness()
    let job = try #require(mesh.submit(id: 1))
    #expect(mesh.call(.start(job), client: "bob", id: 2)?.code == .unavailable)
    mesh.send(.store(.created(job)))
    #expect(mesh.reply(to: 1)?.submitted?.job == job)
    mesh.call(.start(job), id: 2)
    #expect(mesh.state(job) == .sealing)
  }

  @Test("starting again while the inputs are sealed waits for the same end")
  func startTwice() throws {
    let mesh = CoordinatorHarness()
    let job = try #require(bring(to: .sealing, mesh))
    #expect(mesh.call(.start(job), id: 78) == nil)
    #expect(mesh.commands.isEmpty)
    mesh.send(.store(.sealed(job, sampleInputs)))
    #expect(mesh.reply(to: 77)?.status != nil && mesh.reply(to: 78)?.status != nil)
    #expect(mesh.call(.start(job))?.status?.summary.state == .queued)
  }
}
