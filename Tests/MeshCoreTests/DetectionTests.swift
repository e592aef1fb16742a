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
