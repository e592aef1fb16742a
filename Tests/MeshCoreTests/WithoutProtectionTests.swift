import MeshCore
import Testing

/// A job that asked for no protection: nothing is copied, nobody beats, and a loss ends it.
@Suite struct WithoutProtectionTests {
  private func running() throws -> (CoordinatorHarness, JobID, Assignment) {
    try #require(CoordinatorHarness.running(isProtected: false))
  }

  @Test("its workers may be silent")
  func silent() throws {
    let (mesh, job, _) = try running()
    for _ in 0..<1_000 {
      mesh.now += .milliseconds(100)
      mesh.send(.tick)
    }
    #expect(mesh.state(job) == .running && mesh.workers.count == 2)
    #expect(mesh.status(job)?.protection == .off)
  }

  @Test("who has no part in it may not")
  func others() throws {
    let (mesh, _, _) = try running()
    mesh.join(3)
    for _ in 0..<10 {
      mesh.now += .milliseconds(100)
      mesh.send(.tick)
    }
    #expect(mesh.workers == ["worker-1", "worker-2"])
  }

  @Test(
    "a worker whose process has ended, or whose connection broke and who doesn't come back, ends it",
    arguments: 0..<3)
  func broken(way: Int) throws {
    let (mesh, job, table) = try running()
    // Nobody listens at its address any more.
    mesh.cut(2, isRefused: way == 0)
    #expect(mesh.state(job) == (way == 0 ? .failed : .running))
    if way == 1 { mesh.send(.processEnded(name: "worker-2", reason: "its process ended")) }
    if way == 2 { mesh.pass(Limits.quietRejoinTimeout + .milliseconds(200)) }
    #expect(mesh.state(job) == .failed)
    let rank = table.ranks(of: 2)[0]
    #expect(mesh.reason(job).hasPrefix("virtual rank \(rank) on worker-2"))
    #expect(mesh.reason(job).contains("runs without protection"))
    #expect(mesh.workers == ["worker-1"])
  }

  @Test("a worker whose ranks are all final is no loss")
  func finalRanks() throws {
    let (mesh, job, table) = try running()
    for rank in table.ranks(of: 2) {
      mesh.send(.store(.stored(job, VRank(rank), table.hosts[rank].epoch)))
    }
    mesh.cut(2)
    #expect(mesh.state(job) == .running && mesh.table?.ranks(of: 1).count == 6)
  }

  @Test("when it ends its workers count as heard just now", arguments: [true, false])
  func end(isCancelled: Bool) throws {
    let (mesh, job, table) = try running()
    for _ in 0..<40 {
      mesh.now += .milliseconds(100)
      mesh.send(.tick)
    }
    if isCancelled {
      mesh.call(.cancel(job))
    } else {
      mesh.storeAll(table)
      mesh.send(.store(.finished(job, digests: [sampleDigest(4), sampleDigest(5)])))
      mesh.now += Limits.heartbeatTimeout
      mesh.send(.tick)
    }
    #expect(mesh.state(job) == (isCancelled ? .cancelled : .done))
    mesh.now += .milliseconds(100)
    mesh.send(.tick)
    #expect(mesh.workers.count == 2 && mesh.observed(.workerLost).isEmpty)
    for _ in 0..<9 {
      mesh.now += .milliseconds(100)
      mesh.send(.tick)
    }
    #expect(mesh.workers.isEmpty, "from then on they have to beat again")
  }

  @Test("after a restart a worker that doesn't come back ends it")
  func restart() throws {
    let (mesh, job, _) = try running()
    mesh.restart()
    mesh.join(1)
    for _ in 0..<81 {
      mesh.now += .milliseconds(100)
      mesh.send(.tick)
    }
    #expect(mesh.state(job) == .failed, "\(mesh.reason(job))")
  }
}
