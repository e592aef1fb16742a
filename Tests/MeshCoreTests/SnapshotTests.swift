import MeshCore
import Testing

/// What is published of a coordinator.
@Suite struct SnapshotTests {
  @Test("a running job is told with its ranks, hosts and traffic")
  func runningJob() throws {
    let (mesh, job, table) = try #require(CoordinatorHarness.running())
    mesh.report(1, job: job, next: 1, copied: 1)
    let snapshot = mesh.core.snapshot(at: mesh.now)
    #expect(snapshot.focus?.summary.job == job && snapshot.focus?.summary.state == .running)
    #expect(snapshot.focus?.ranks == mesh.status(job)?.ranks)
    #expect(snapshot.jobCounts.reduce(0, +) == 1)
    #expect(snapshot.workers.map(\.status.name) == ["worker-1", "worker-2"])
    #expect(snapshot.workers.map(\.status.vranks.count).reduce(0, +) == table.hosts.count)
    let run = try #require(snapshot.runs.last)
    let mine = table.ranks(of: 1)
    #expect(
      run.job == job && run.next.indices.allSatisfy { run.next[$0] == (mine.contains($0) ? 1 : 0) })
    #expect(run.traffic.map(\.name) == ["worker-1", "worker-2"])
    #expect(snapshot.storeUsedBytes > 0 && !snapshot.isGathering && !snapshot.isStoreFailing)
  }

  @Test("a loss and the recovery are told, and what comes in great number isn't")
  func loss() throws {
    let (mesh, _, table) = try #require(CoordinatorHarness.running())
    mesh.cut(2)
    let snapshot = mesh.core.snapshot(at: mesh.now)
    #expect(snapshot.workers.map(\.status.name) == ["worker-1"])
    #expect(snapshot.focus?.workers.map(\.name) == ["worker-1", "worker-2"])
    let kinds = snapshot.events.map(\.observation.kind)
    #expect(kinds.contains(.workerLost) && kinds.contains(.rehosted))
    #expect(
      snapshot.runs.last?.recoveries.map(\.worker) == table.ranks(of: 2).map { _ in "worker-2" })
    mesh.storeAll(try #require(mesh.table))
    #expect(!mesh.observed(.vrankFinal).isEmpty)
    let later = mesh.core.snapshot(at: mesh.now)
    #expect(!later.events.contains { $0.observation.kind == .vrankFinal })
  }

  @Test("it is bounded, and has the newest")
  func bounds() throws {
    let mesh = CoordinatorHarness()
    for number in 1...UInt64(2 * Limits.eventsPublishedMaximum) {
      mesh.join(number)
      mesh.cut(number)
    }
    var jobs: [JobID] = []
    for number in 0..<Limits.jobsPublishedMaximum + 6 {
      jobs.append(try #require(mesh.queue(client: "client-\(number % 4)")))
    }
    let snapshot = mesh.core.snapshot(at: mesh.now)
    #expect(snapshot.events.count == Limits.eventsPublishedMaximum)
    #expect(snapshot.events.last?.observation == mesh.observed.last)
    #expect(snapshot.jobs.map(\.job) == Array(jobs.reversed().prefix(Limits.jobsPublishedMaximum)))
    #expect(snapshot.jobCounts[2] == jobs.count && JobState.allCases[2] == .queued)
    #expect(snapshot.focus == nil && snapshot.runs.isEmpty)
  }

  @Test("a disk that fails, and workers that are awaited after a restart")
  func trouble() throws {
    let (mesh, job, _) = try #require(CoordinatorHarness.running())
    mesh.restart()
    mesh.send(.tick)
    #expect(mesh.core.snapshot(at: mesh.now).isGathering)
    #expect(mesh.core.snapshot(at: mesh.now).focus?.summary.job == job)
    mesh.join(1, 2)
    #expect(!mesh.core.snapshot(at: mesh.now + Limits.rejoinTimeout).isGathering)
    mesh.commitsAtOnce = false
    mesh.cut(2)
    let waiting = mesh.core.snapshot(at: mesh.now)
    #expect(waiting.commitsIssued == waiting.commitsDone + 1 && !waiting.isStoreFailing)
    mesh.failCommit()
    #expect(mesh.core.snapshot(at: mesh.now).isStoreFailing)
  }
}
