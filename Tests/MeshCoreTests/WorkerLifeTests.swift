import MeshCore
import Testing

/// A worker and its coordinator: hello, assignment, release.
@Suite struct WorkerLifeTests {
  private func hellos(_ worker: WorkerHarness) -> Int {
    worker.effects.count { if case .send(.hello) = $0 { true } else { false } }
  }

  private func beats(_ worker: WorkerHarness) -> Int {
    worker.effects.count { if case .beat = $0 { true } else { false } }
  }

  private func releases(_ worker: WorkerHarness) -> [JobID] {
    worker.effects.compactMap { if case .release(let job, _) = $0 { job } else { nil } }
  }

  /// Jobs whose final counters go out with the last event.
  private func lastWords(_ worker: WorkerHarness) -> [JobID] {
    worker.effects.compactMap { effect in
      guard case .beat(let beat) = effect, beat.isLast else { return nil }
      return beat.job
    }
  }

  private func plan() -> Plan { Plan(job: sampleJob(queries: 3_072, mask: .full), vrankCount: 3) }

  @Test("hello is said until it is answered, then heartbeats go, and hello again after silence")
  func hello() {
    let worker = WorkerHarness()
    var said = 0
    for _ in 0..<20 {
      worker.send(.tick, after: .milliseconds(50))
      said += hellos(worker)
      #expect(beats(worker) == 0)
    }
    #expect(said == 4)
    worker.send(.coordinator(.welcome(term: 3, storeEndpoint: "s")))
    #expect(beats(worker) == 1)
    worker.send(.tick, after: Limits.heartbeatInterval)
    #expect(beats(worker) == 1 && hellos(worker) == 0)
    for _ in 0..<30 {
      worker.send(.tick, after: Limits.heartbeatInterval)
      worker.send(.coordinator(.beat(term: 3)))
      #expect(hellos(worker) == 0)
    }
    worker.send(.tick, after: Limits.heartbeatTimeout)
    #expect(hellos(worker) == 1 && beats(worker) == 0)
    worker.send(.coordinator(.welcome(term: 4, storeEndpoint: "s")))
    #expect(beats(worker) == 1)
  }

  @Test("a refused worker says so and keeps asking")
  func refused() {
    let worker = WorkerHarness()
    worker.send(.tick)
    worker.send(.coordinator(.refused(.failedPrecondition, reason: "that name is taken")))
    guard case .observe(let observation) = worker.effects.first else {
      Issue.record("nothing observed")
      return
    }
    #expect(observation.kind == .workerRefused && observation.detail == "that name is taken")
    worker.send(.tick, after: .milliseconds(250))
    #expect(hellos(worker) == 1)
  }

  @Test("messages of an older coordinator are ignored")
  func olderTerm() {
    let worker = WorkerHarness()
    worker.assign(plan(), hosts: [0, 1, 2], peers: 3)
    worker.send(.coordinator(.release(worker.job, isOver: true, term: 2)))
    #expect(worker.core.run != nil)
    let other = sampleAssignment(
      plan(), hosts: [0, 1, 2], peers: 3, job: JobID(high: 2, low: 2))
    worker.send(.coordinator(.assign(other, term: 2)))
    #expect(worker.core.run?.job == worker.job)
  }

  @Test("where only an older coordinator speaks, that is told once")
  func onlyOlderTerm() {
    let worker = WorkerHarness()
    worker.assign(plan(), hosts: [0, 1, 2], peers: 3)
    var told: [String] = []
    func hear(_ term: UInt64) {
      worker.send(.coordinator(.beat(term: term)), after: Limits.heartbeatInterval)
      for case .observe(let observation) in worker.effects { told.append(observation.detail) }
    }
    // As long as the newer one is heard as well, the older one is just late.
    for _ in 0..<20 {
      hear(2)
      hear(3)
    }
    #expect(told == [])
    for _ in 0..<20 { hear(2) }
    #expect(told.count == 1 && told.first?.contains("term 2, older than 3") == true, "\(told)")
    hear(3)
    for _ in 0..<20 { hear(1) }
    #expect(told.count == 2)
  }

  @Test("an assignment without this worker, or that no coordinator makes, starts nothing")
  func notMine() {
    let worker = WorkerHarness()
    worker.send(.coordinator(.welcome(term: 3, storeEndpoint: "s")))
    let plan = plan()
    let table = sampleAssignment(plan, hosts: [0, 1, 2], peers: 3)
    let others = Assignment(
      job: table.job, spec: table.spec, inputs: table.inputs, vrankCount: 3,
      planHash: table.planHash, revision: table.revision, isProtected: true,
      peers: Array(table.peers.dropFirst()),
      hosts: [0, 1, 1].map { Assignment.Host(peer: $0, epoch: table.hosts[0].epoch) })
    for bad in [others, sampleAssignment(plan, hosts: [0, 1, 9], peers: 3)] {
      worker.send(.coordinator(.assign(bad, term: 3)))
      #expect(worker.effects.isEmpty && worker.core.run == nil)
    }
  }

  @Test("a worker that hosts no rank asks for nothing and can be released")
  func hostsNothing() {
    let worker = WorkerHarness()
    worker.assign(plan(), hosts: [1, 1, 1], peers: 2)
    #expect(worker.pulled.isEmpty && worker.core.run != nil)
    worker.send(.coordinator(.release(worker.job, isOver: true, term: 3)))
    #expect(worker.core.run == nil)
  }

  @Test("a release drops everything, whatever was under way", arguments: 0..<5)
  func release(state: Int) {
    let worker = WorkerHarness()
    worker.assign(plan(), hosts: [0, 1, 2], peers: 3)
    if state > 0 { worker.deliverStore() }
    if state > 1 { worker.foldNext() }
    if state > 2 { worker.send(.pull(worker.pull(.keyValue(4)), from: link(1))) }
    if state > 3 {
      for tile in 4..<12 {
        for source in [1, 2] { worker.deliver(.keyValue(tile), from: peer(source)) }
        worker.foldAll()
      }
      worker.finish()
      #expect(worker.resultMessages.count == Limits.resultMessagesOutstanding)
    }
    worker.send(.coordinator(.release(worker.job, isOver: true, term: 3)))
    #expect(worker.core.run == nil)
    #expect(releases(worker) == [worker.job])
    #expect(lastWords(worker) == [worker.job])
    worker.deliver(.keyValue(0), from: .store, parts: 0..<1)
    worker.foldNext()
    worker.receipt(0)
    #expect(worker.effects.isEmpty)
    worker.send(.pull(worker.pull(.keyValue(0), tag: 1), from: link(1)))
    #expect(worker.answers == [.no])
  }

  @Test("a new job replaces the one before; what is left of that one is dropped")
  func replaced() {
    let worker = WorkerHarness()
    let old = JobID(high: 8, low: 8)
    worker.assign(plan(), hosts: [0, 1, 2], peers: 3, job: old)
    worker.assign(plan(), hosts: [0, 1, 2], peers: 3)
    #expect(releases(worker) == [old] && lastWords(worker) == [old])
    #expect(worker.core.run?.job == worker.job)
    worker.send(.job(old, .part(.keyValue(0), part: 0, from: .store, noBytes)))
    worker.send(.pull(worker.pull(.keyValue(0)), from: link(1)))
    #expect(worker.answers == [.coming], "the old job's part doesn't count")
    // The same assignment again changes nothing.
    worker.assign(plan(), hosts: [0, 1, 2], peers: 3)
    #expect(worker.pulled.isEmpty)
  }
}
