import MeshCore
import Testing

/// When a worker is found to be lost, to the millisecond.
@Suite struct DetectionTests {
  @Test(
    "a silent worker is lost at the first tick 900 ms after its last heartbeat",
    arguments: [10, 20, 50, 100], [0, 1, 33, 50, 99])
  func silence(tickInterval: Int, phase: Int) throws {
    let sample = try #require(BeatingMesh(workers: 3, tickInterval: tickInterval))
    sample.workers[2]?.phase = phase
    sample.workers[2]?.silentFrom = 1_000
    sample.run(until: 4_000)
    let lastHeard = phase == 0 ? 900 : 900 + phase
    let expected = sample.tick(from: lastHeard + 900)
    #expect(sample.lost.map(\.worker) == ["worker-2"])
    #expect(sample.lost.map(\.at) == [expected])
    let recovery = try #require(sample.mesh.status(sample.job)?.recoveries.first)
    #expect(abs(recovery.detectionSeconds - Double(expected - lastHeard) / 1_000) < 1e-9)
    #expect(recovery.detectionSeconds <= 1.0)
  }

  @Test("a silence of less than 900 ms is none, however often")
  func shortSilence() throws {
    let sample = try #require(BeatingMesh(workers: 2, tickInterval: 10))
    for round in 0..<20 {
      // The heartbeats in between don't come: from one to the next it is 800 ms.
      sample.workers[2]?.silentFrom = sample.millisecond + 100
      sample.workers[2]?.silentUntil = sample.millisecond + 800
      sample.run(until: (round + 1) * 900)
    }
    #expect(sample.lost.isEmpty)
  }

  @Test("a broken connection is a lost worker at once")
  func brokenConnection() throws {
    let sample = try #require(BeatingMesh(workers: 3))
    sample.run(until: 1_000)
    sample.mesh.cut(2)
    sample.note()
    #expect(sample.lost.map(\.at) == [1_000])
    #expect(sample.mesh.table?.ranks(of: 2) == [])
    sample.mesh.cut(2)
    #expect(sample.mesh.effects.isEmpty, "it is lost once")
  }

  @Test("compute threads with work that get nothing done for 1.8 s hang", arguments: [0, 31, 99])
  func hang(phase: Int) throws {
    let sample = try #require(BeatingMesh(workers: 3))
    sample.workers[2]?.phase = phase
    sample.workers[2]?.computation = { computation(itemsDone: min($0, 1_000)) }
    sample.run(until: 5_000)
    // The counter stands still from 1,000 on: the heartbeat after the first one with the last count
    // shows it.
    let stuck = (phase == 0 ? 1_000 : 1_000 + phase) + 100
    #expect(sample.lost.map(\.worker) == ["worker-2"])
    #expect(sample.lost.map(\.at) == [sample.tick(from: stuck - 100 + 1_800)])
    #expect(sample.lost.first?.reason.hasPrefix("hung: its compute threads") == true)
  }

  @Test("a hung worker is told to end")
  func hungWorkerIsTold() throws {
    let sample = try #require(BeatingMesh(workers: 2))
    sample.workers[2]?.computation = { computation(itemsDone: min($0, 1_000)) }
    var told: [CoordinatorMessage] = []
    while sample.millisecond < 5_000, told.isEmpty {
      sample.run(until: sample.millisecond + 20)
      told = sample.mesh.sent(to: 2).filter { if case .refused = $0 { true } else { false } }
    }
    guard case .refused(.aborted, let reason)? = told.first else {
      Issue.record("not told")
      return
    }
    #expect(reason.contains("hung") && sample.mesh.observed(.workerLost).count == 1)
  }

  /// Refusals of a worker with the last event, and whatever else it was sent.
  private func refusals(_ mesh: CoordinatorHarness, _ worker: UInt64) -> (hung: Int, others: Int) {
    let sent = mesh.sent(to: worker)
    let hung = sent.count { message in
      guard case .refused(.aborted, let reason) = message else { return false }
      return reason.hasPrefix("hung: ")
    }
    return (hung, sent.count - hung)
  }

  @Test("a hung worker that has not heard it is told again, whatever it says, and is given nothing")
  func hungWorkerStays() throws {
    let sample = try #require(BeatingMesh(workers: 2))
    let (mesh, job) = (sample.mesh, sample.job)
    sample.workers[2]?.computation = { computation(itemsDone: min($0, 1_000)) }
    sample.run(until: 3_000)
    #expect(sample.lost.map(\.worker) == ["worker-2"])
    sample.workers[2] = nil
    let table = mesh.table
    for _ in 0..<3 {
      mesh.beat(2, job: job, computation: computation(itemsDone: 5_000))
      #expect(refusals(mesh, 2) == (1, 0) && mesh.effects.count == 1)
      mesh.join(2)
      #expect(refusals(mesh, 2) == (1, 0) && mesh.effects.count == 1)
      mesh.send(.message(.leaving, from: WorkerID(incarnation: 2)))
      #expect(refusals(mesh, 2) == (1, 0) && mesh.effects.count == 1)
    }
    #expect(mesh.workers == ["worker-1"] && mesh.table == table)
    mesh.send(.message(.goodbye, from: WorkerID(incarnation: 2)))
    #expect(mesh.effects.isEmpty)
    mesh.join(2)
    #expect(refusals(mesh, 2) == (1, 0), "it said goodbye and is there all the same")
    // Its supervisor starts it again: another process under the same name.
    mesh.join(sampleHello(22, name: "worker-2"))
    #expect(mesh.workers == ["worker-1", "worker-2"])
    #expect(mesh.table?.peer(of: WorkerID(incarnation: 22)) != nil)
  }

  @Test("only so many fenced workers are remembered, the last ones")
  func fencedAreBounded() {
    let mesh = CoordinatorHarness()
    mesh.step = .zero
    let first: UInt64 = 100
    let last = first + UInt64(Limits.fencedKeptMaximum)
    for worker in first...last {
      mesh.join(worker)
      for _ in 0..<20 {
        mesh.now += .milliseconds(100)
        mesh.beat(worker, computation: computation(itemsDone: 1))
        mesh.send(.tick)
      }
    }
    #expect(mesh.workers.isEmpty)
    mesh.join(last)
    #expect(refusals(mesh, last).hung == 1)
    mesh.join(first + 1)
    #expect(refusals(mesh, first + 1).hung == 1)
    mesh.join(first)
    #expect(mesh.workers == ["worker-\(first)"], "forgotten, and found hung again if it is")
  }

  @Test("a worker that was silent is no hung one: it is taken in again")
  func silentIsNotFenced() throws {
    let sample = try #require(BeatingMesh(workers: 2))
    sample.workers[2]?.silentFrom = 1_000
    sample.run(until: 3_000)
    #expect(sample.lost.map(\.worker) == ["worker-2"])
    sample.mesh.join(2)
    #expect(sample.mesh.workers == ["worker-1", "worker-2"])
  }

  @Test("a restarted coordinator takes a hung worker in, under new epochs, and finds it hung again")
  func fencedIsForgotten() throws {
    let sample = try #require(BeatingMesh(workers: 2))
    let mesh = sample.mesh
    let before = try #require(mesh.table)
    sample.workers[2]?.computation = { computation(itemsDone: min($0, 1_000)) }
    sample.run(until: 3_000)
    mesh.restart()
    mesh.join(1, 2)
    #expect(mesh.workers == ["worker-1", "worker-2"])
    let table = try #require(mesh.table)
    #expect(before.ranks(of: 2).allSatisfy { table.hosts[$0].epoch > before.hosts[$0].epoch })
    sample.run(until: 8_000)
    #expect(sample.lost.map(\.worker) == ["worker-2", "worker-2"])
    #expect(mesh.state(sample.job) == .running)
  }

  @Test(
    "where tiles are slow a hang is three times the slow tile", arguments: [0.1, 0.6, 0.7, 2.0])
  func slowTiles(seconds: Double) throws {
    let sample = try #require(BeatingMesh(workers: 3))
    sample.workers[2]?.phase = 0
    sample.workers[2]?.computation = {
      computation(itemsDone: min($0, 1_000), slowTileSeconds: seconds)
    }
    sample.run(until: 9_000)
    let timeout = max(1_800, Int(3_000 * seconds))
    #expect(sample.lost.map(\.at) == [sample.tick(from: 1_000 + timeout)])
  }

  @Test("what a worker says of its slowest tile is believed within bounds")
  func absurdTiles() throws {
    for seconds in [Double.nan, .infinity, -.infinity, -1, 1e300, -1e300] {
      let sample = try #require(BeatingMesh(workers: 2))
      sample.workers[2]?.computation = {
        computation(itemsDone: min($0, 1_000), slowTileSeconds: seconds)
      }
      sample.run(until: 4_000)
      #expect(sample.lost.count == (seconds > 0 ? 0 : 1), "\(seconds)")
    }
  }

  @Test("who has no work doesn't hang, nor who gets something done every 1.8 s")
  func notHung() throws {
    let sample = try #require(BeatingMesh(workers: 2))
    sample.workers[1]?.computation = { _ in WorkerMessage.Computation() }
    sample.workers[2]?.computation = { computation(itemsDone: $0 / 1_800) }
    sample.run(until: 30_000)
    #expect(sample.lost.isEmpty)
  }

  @Test("a worker without a job that falls silent is lost as well")
  func idle() {
    let mesh = CoordinatorHarness()
    mesh.join(1, 2)
    for _ in 0..<10 {
      mesh.now += .milliseconds(98)
      mesh.beat(1)
      mesh.send(.tick)
    }
    #expect(mesh.workers == ["worker-1"])
  }
}

func computation(itemsDone: Int, slowTileSeconds: Double = 0) -> WorkerMessage.Computation {
  var computation = WorkerMessage.Computation()
  computation.itemsDone = UInt64(itemsDone)
  computation.isBusy = true
  computation.slowTileSeconds = slowTileSeconds
  return computation
}
