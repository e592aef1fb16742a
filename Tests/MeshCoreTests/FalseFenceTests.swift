import MeshCore
import Testing

/// Workers that live are not taken for dead.
@Suite struct FalseFenceTests {
  /// Delays as on a machine that has four times as much to do as it can: mostly below a
  /// millisecond, a few in a thousand beyond 100 ms, up to half a second.
  private struct Delays {
    var random: SplitMix64
    var longest = Duration.zero
    var long = 0

    mutating func next() -> Duration {
      // Pareto from 50 µs with α = 0.8: one in four hundred is beyond 100 ms.
      let tail = max(random.fraction(), 1e-9)
      let seconds = 50e-6 / (tail * tail.squareRoot().squareRoot())
      let delay = Duration.microseconds(Int64(min(seconds, 0.5) * 1e6))
      longest = max(longest, delay)
      if delay > .milliseconds(100) { long += 1 }
      return delay
    }
  }

  @Test("no worker is fenced in a million heartbeats with delays of up to half a second")
  func aMillionHeartbeats() throws {
    let count = 5
    let running = CoordinatorHarness.running(on: (1...UInt64(count)).map { $0 })
    let (mesh, job, table) = try #require(running)
    var core = mesh.core
    var delays = Delays(random: SplitMix64(seed: 3))
    let start = mesh.now
    var sent = (0..<count).map { start + .milliseconds(20 * $0) }
    var arrives = sent.map { $0 + delays.next() }
    var items: UInt64 = 0
    var nextTick = start
    var heard = 0
    while heard < 1_000_000 {
      let first = arrives.indices.min { arrives[$0] < arrives[$1] } ?? 0
      // The coordinator's own loop is late now and then, too.
      if nextTick <= arrives[first] {
        for case .observe(let told) in core.handle(.tick, at: nextTick) {
          Issue.record("\(told.kind.name): \(told.detail) after \(heard) heartbeats")
          if told.kind == .workerLost { return }
        }
        nextTick += .milliseconds(50) + min(delays.next(), .milliseconds(200))
        continue
      }
      heard += 1
      items += 1
      var beat = WorkerMessage.Heartbeat(
        job: job, revision: table.revision, term: 3, progress: [], residentBytes: 1)
      beat.computation.itemsDone = items
      beat.computation.isBusy = true
      let worker = WorkerID(incarnation: UInt64(first) + 1)
      let effects = core.handle(.message(.heartbeat(beat), from: worker), at: arrives[first])
      if effects.count != 1 { Issue.record("\(effects)") }
      sent[first] += Limits.heartbeatInterval
      // In order, as over one connection.
      arrives[first] = max(arrives[first], sent[first] + delays.next())
    }
    #expect(delays.longest == .milliseconds(500) && delays.long > 2_000, "\(delays)")
  }
}
