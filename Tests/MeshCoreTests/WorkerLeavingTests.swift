import MeshCore
import Testing

/// A worker that was asked to end, and how it talks with its coordinator meanwhile.
@Suite struct WorkerLeavingTests {
  private let plan = Plan(job: sampleJob(queries: 3_072, mask: .full), vrankCount: 3)

  private func leaves(_ worker: WorkerHarness) -> Bool {
    worker.effects.contains { if case .leave = $0 { true } else { false } }
  }

  @Test("without a job it says goodbye and goes")
  func idle() {
    let worker = WorkerHarness()
    worker.send(.coordinator(.welcome(term: 3, storeEndpoint: "s")))
    worker.send(.end)
    #expect(worker.words == [.goodbye] && leaves(worker))
    worker.send(.end)
    #expect(worker.effects.isEmpty)
  }

  @Test("with ranks it asks to be relieved, waits, and goes when it is told to")
  func relieved() {
    let worker = WorkerHarness()
    worker.assign(plan, hosts: [0, 1, 2], peers: 3)
    worker.send(.end)
    #expect(worker.words == [.leaving] && !leaves(worker))
    worker.send(.tick, after: .seconds(30))
    #expect(!leaves(worker) && worker.core.run != nil)
    worker.send(.coordinator(.leave(term: 3)))
    #expect(worker.words == [.goodbye] && leaves(worker) && worker.core.run == nil)
    #expect(worker.lastBeat?.isLast == true, "with its last counters")
  }

  @Test("it says so again to a coordinator that has not heard it")
  func saidAgain() {
    let worker = WorkerHarness()
    worker.assign(plan, hosts: [0, 1, 2], peers: 3)
    worker.send(.end)
    worker.send(.coordinator(.introduce(term: 4)))
    worker.send(.coordinator(.welcome(term: 4, storeEndpoint: "s")))
    #expect(worker.words == [.leaving])
  }

  @Test("nobody relieves it: after a minute it goes all the same")
  func timeout() {
    let worker = WorkerHarness()
    worker.assign(plan, hosts: [0, 1, 2], peers: 3)
    worker.send(.end)
    worker.send(.tick, after: Limits.drainTimeout - .milliseconds(1))
    #expect(!leaves(worker))
    worker.send(.tick)
    #expect(worker.words.contains(.goodbye) && leaves(worker))
  }

  @Test("without protection there is nothing to hand over: it goes at once")
  func withoutProtection() {
    let worker = WorkerHarness()
    worker.assign(sampleAssignment(plan, hosts: [0, 1, 2], peers: 3, isProtected: false))
    worker.send(.end)
    #expect(worker.words == [.goodbye] && leaves(worker))
  }

  @Test("with nothing but a shard it goes at once")
  func onlyServes() {
    let worker = WorkerHarness()
    worker.assign(plan, hosts: [0, 1, 2], peers: 3)
    worker.adopt { $0[0].duty = .serve }
    worker.send(.end)
    #expect(worker.words == [.goodbye] && leaves(worker))
  }

  @Test("a drained worker that hosts nothing any more goes when it is told to")
  func drained() {
    let worker = WorkerHarness()
    worker.assign(plan, hosts: [0, 1, 2], peers: 3)
    worker.send(.coordinator(.leave(term: 3)))
    #expect(worker.effects.isEmpty && worker.core.run != nil, "it hosts a rank")
    worker.send(.coordinator(.release(worker.job, isOver: false, term: 3)))
    worker.send(.coordinator(.leave(term: 3)))
    #expect(worker.words == [.goodbye] && leaves(worker))
  }

  @Test(
    "a drained worker says that it leaves, also to the next coordinator, and goes when it is told")
  func drainedOverARestart() {
    let worker = WorkerHarness()
    worker.assign(plan, hosts: [0, 1, 2], peers: 3)
    worker.send(.coordinator(.drain(term: 3)))
    #expect(worker.words == [.leaving] && !leaves(worker))
    worker.send(.coordinator(.drain(term: 3)))
    #expect(worker.words == [.leaving], "its first answer was lost")
    worker.send(.coordinator(.introduce(term: 4)))
    worker.send(.coordinator(.welcome(term: 4, storeEndpoint: "s")))
    #expect(worker.words == [.leaving] && worker.core.run != nil)
    worker.send(.coordinator(.leave(term: 4)))
    #expect(worker.words == [.goodbye] && leaves(worker) && worker.core.run == nil)
  }

  @Test("a drained worker has time, until its process is told to end as well")
  func drainedHasTime() {
    let worker = WorkerHarness()
    worker.assign(plan, hosts: [0, 1, 2], peers: 3)
    worker.send(.coordinator(.drain(term: 3)))
    worker.send(.tick, after: Limits.drainTimeout * 10)
    #expect(!leaves(worker) && worker.core.run != nil)
    worker.send(.end)
    #expect(!leaves(worker))
    worker.send(.tick, after: Limits.drainTimeout)
    #expect(worker.words.contains(.goodbye) && leaves(worker))
  }

  @Test("a worker without a job that is drained waits for the word to go")
  func drainedIdle() {
    let worker = WorkerHarness()
    worker.send(.coordinator(.welcome(term: 3, storeEndpoint: "s")))
    worker.send(.coordinator(.drain(term: 2)))
    #expect(worker.effects.isEmpty, "of an older coordinator")
    worker.send(.coordinator(.drain(term: 3)))
    #expect(worker.words == [.leaving] && !leaves(worker))
    worker.send(.coordinator(.leave(term: 3)))
    #expect(worker.words == [.goodbye] && leaves(worker))
  }

  @Test("an older coordinator can't send it away")
  func olderTerm() {
    let worker = WorkerHarness()
    worker.send(.coordinator(.welcome(term: 3, storeEndpoint: "s")))
    worker.send(.coordinator(.leave(term: 2)))
    #expect(worker.effects.isEmpty)
  }

  @Test("it introduces itself again to a restarted coordinator, keeps its job, and goes on folding")
  func restartedCoordinator() {
    let worker = WorkerHarness()
    worker.assign(plan, hosts: [0, 1, 2], peers: 3)
    worker.deliverStore()
    worker.send(.coordinator(.introduce(term: 4)))
    var hello = sampleHello(1)
    hello.term = 4
    #expect(worker.words == [.hello(hello)])
    worker.send(.tick)
    #expect(worker.lastBeat == nil, "not before it is welcome")
    worker.foldNext()
    #expect(!worker.folds.isEmpty, "nobody is needed for that")
    worker.send(.coordinator(.welcome(term: 4, storeEndpoint: "s")))
    #expect(worker.lastBeat?.term == 4 && worker.lastBeat?.job == worker.job)
    #expect((worker.lastBeat?.progress.first?.next ?? 0) > 0)
  }

  @Test("without protection it beats every 5 s, and takes no silence of that length for an end")
  func quiet() {
    let worker = WorkerHarness()
    worker.assign(sampleAssignment(plan, hosts: [0, 1, 2], peers: 3, isProtected: false))
    worker.forgetHistory()
    var beats = 0
    for _ in 0..<600 {
      worker.send(.tick, after: .milliseconds(50))
      if worker.lastBeat != nil {
        beats += 1
        worker.send(.coordinator(.beat(term: 3)))
      }
    }
    let hellos = worker.history.count { if case .send(.hello) = $0 { true } else { false } }
    #expect(hellos == 0 && (5...7).contains(beats), "\(hellos) hellos, \(beats) beats in 30 s")
  }
}
