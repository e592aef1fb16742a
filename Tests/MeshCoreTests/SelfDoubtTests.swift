import MeshCore
import Testing

/// A coordinator that can't hear must not take everybody for dead.
@Suite struct SelfDoubtTests {
  @Test(
    "after a stop of its own a coordinator fences nobody", arguments: [301, 900, 5_000, 60_000])
  func stopped(milliseconds: Int) throws {
    let sample = try #require(BeatingMesh(workers: 3))
    sample.run(until: 1_000)
    sample.run(until: 1_000 + milliseconds, isStopped: true)
    sample.run(until: 5_000 + milliseconds)
    #expect(sample.lost.isEmpty)
    let late = sample.mesh.observed(.coordinatorLate)
    #expect(late.count == 1)
  }

  @Test("its loop may be 200 ms late before it doubts itself")
  func threshold() throws {
    for (gap, isLate) in [(100, false), (300, false), (301, true)] {
      let mesh = CoordinatorHarness()
      mesh.step = .zero
      mesh.join(1)
      mesh.send(.tick)
      mesh.now += .milliseconds(gap)
      mesh.send(.tick)
      #expect(mesh.observed(.coordinatorLate).isEmpty != isLate, "\(gap) ms between ticks")
    }
  }

  @Test("who died while the coordinator was stopped is found soon after it goes on")
  func diedMeanwhile() throws {
    let sample = try #require(BeatingMesh(workers: 3))
    sample.workers[2]?.silentFrom = 1_000
    sample.run(until: 1_000)
    sample.run(until: 6_001, isStopped: true)
    sample.run(until: 10_000)
    // It doubts itself at its first tick, at 6,020 ms, and gives everybody what it was late by: 180 ms
    // of the 900 had passed before.
    #expect(sample.lost.map(\.worker) == ["worker-2"])
    #expect(sample.lost.map(\.at) == [6_020 + 720])
  }

  @Test("of a hang that began before a stop of the coordinator the stop is not counted")
  func hangMeanwhile() throws {
    let sample = try #require(BeatingMesh(workers: 2))
    sample.workers[2]?.phase = 50
    sample.workers[2]?.computation = { computation(itemsDone: min($0, 1_000)) }
    sample.run(until: 2_000)
    sample.run(until: 6_001, isStopped: true)
    sample.run(until: 10_000)
    // More than half of the time had passed before it; half is left.
    #expect(sample.lost.map(\.at) == [6_020 + 900])
  }

  @Test("stops of its own, again and again, don't hide for ever who is dead")
  func stoppedAgainAndAgain() throws {
    let sample = try #require(BeatingMesh(workers: 2))
    sample.workers[2]?.silentFrom = 1_000
    var now = 1_000
    sample.run(until: now)
    for _ in 0..<20 {
      sample.run(until: now + 400, isStopped: true)
      sample.run(until: now + 1_000)
      now += 1_000
    }
    #expect(sample.lost.map(\.worker) == ["worker-2"])
  }

  @Test("most workers silent at once get twice the time; half of them don't")
  func mostSilent() throws {
    for (count, silent, timeout) in [(3, 2, 1_800), (4, 2, 900), (4, 3, 1_800), (5, 5, 1_800)] {
      let sample = try #require(BeatingMesh(workers: count))
      for worker in 1...silent {
        sample.workers[UInt64(worker)]?.phase = 0
        sample.workers[UInt64(worker)]?.silentFrom = 1_000
      }
      sample.run(until: 5_000)
      #expect(sample.lost.count == silent)
      let times = sample.lost.map(\.at)
      #expect(Set(times) == [900 + timeout], "\(silent) of \(count) silent: \(times)")
    }
  }

  @Test("of two workers a silent one is lost in the usual time, and so is the last one")
  func fewWorkers() throws {
    for count in 1...2 {
      let sample = try #require(BeatingMesh(workers: count))
      sample.workers[1]?.phase = 0
      sample.workers[1]?.silentFrom = 1_000
      sample.run(until: 4_000)
      #expect(sample.lost.map(\.at) == [1_800])
    }
  }

  @Test("when the others speak again who is still silent is lost")
  func othersSpeakAgain() throws {
    let sample = try #require(BeatingMesh(workers: 3))
    for worker in [UInt64(1), 2] {
      sample.workers[worker]?.phase = 0
      sample.workers[worker]?.silentFrom = 1_000
    }
    sample.workers[1]?.silentUntil = 2_300
    sample.run(until: 5_000)
    #expect(sample.lost.map(\.worker) == ["worker-2"])
    #expect(sample.lost.map(\.at) == [2_300])
  }
}
