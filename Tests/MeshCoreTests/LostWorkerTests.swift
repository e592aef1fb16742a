import MeshCore
import Testing

/// A worker that was lost is told of for a while.
@Suite struct LostWorkerTests {
  private func list(_ mesh: CoordinatorHarness) -> [WorkerStatus] {
    guard case .success(.workers(let list)) = mesh.call(.workers, as: .viewer) else { return [] }
    return list
  }

  @Test("a lost worker stays in the list, with when and why, until one of its name is back")
  func lost() throws {
    let mesh = CoordinatorHarness()
    mesh.join(1, 2)
    _ = try #require(mesh.queue())
    mesh.cut(2)
    let lost = try #require(list(mesh).first { $0.name == "worker-2" })
    #expect(lost.standing == .lost && lost.job == nil && lost.vranks.isEmpty)
    #expect(lost.loss?.reason == "its connection broke")
    #expect(abs((lost.loss?.at ?? 0) - mesh.now.seconds) < 1)
    #expect(list(mesh).map(\.name) == ["worker-1", "worker-2"])
    #expect(list(mesh).present.map(\.name) == ["worker-1"])
    mesh.join(sampleHello(9, name: "worker-2"))
    #expect(list(mesh).map(\.standing) == [.active, .active])
  }

  @Test("who said goodbye, or is asked to go, isn't lost; and nothing counts a lost one as here")
  func left() throws {
    let mesh = CoordinatorHarness()
    mesh.join(1, 2, 3)
    mesh.send(.message(.goodbye, from: WorkerID(incarnation: 2)))
    mesh.cut(3)
    #expect(list(mesh).map(\.name) == ["worker-1", "worker-3"])
    guard case .success(.workers(let told)) = mesh.call(.cordon("worker-1", isLifted: false)) else {
      Issue.record("no workers")
      return
    }
    #expect(told.map(\.name) == ["worker-1"])
    #expect(mesh.call(.drain("worker-3"))?.code == .notFound)
    guard case .success(.mesh(let status)) = mesh.call(.mesh) else { return }
    #expect(status.workers.reduce(0) { $0 + $1.count } == 1)
  }

  @Test("they are few, and not for ever; and the list never has more than a mesh may have")
  func bounded() throws {
    let mesh = CoordinatorHarness()
    for number in 1...UInt64(Limits.lostWorkersKeptMaximum + 6) {
      mesh.join(number)
      mesh.cut(number)
    }
    let lost = list(mesh)
    #expect(lost.count == Limits.lostWorkersKeptMaximum)
    #expect(lost.first?.name == "worker-\(Limits.lostWorkersKeptMaximum + 6)")
    #expect(!lost.contains { $0.name == "worker-6" })
    for number in 1_001...UInt64(1_000 + Limits.workersMaximum - 10) { mesh.join(number) }
    #expect(list(mesh).count == Limits.workersMaximum)
    mesh.now += Limits.lostWorkersKept
    for number in 1_001...UInt64(1_000 + Limits.workersMaximum - 10) { mesh.beat(number) }
    mesh.send(.tick)
    #expect(!list(mesh).contains { ($0.loss?.at ?? .infinity) < 3_000 })
  }

  @Test("one that doesn't come back to a restarted coordinator is lost, too")
  func afterRestart() throws {
    let mesh = CoordinatorHarness()
    mesh.join(1, 2)
    _ = try #require(mesh.queue())
    mesh.restart()
    mesh.join(1)
    mesh.now += Limits.rejoinTimeout + .seconds(1)
    mesh.beat(1)
    mesh.send(.tick)
    let lost = try #require(list(mesh).first { $0.standing == .lost })
    #expect(lost.name == "worker-2" && lost.loss?.reason.contains("did not come back") == true)
    #expect(mesh.observed(.workerLost).map(\.worker) == ["worker-2"], "told once")
  }

  @Test("so is one that dies while there is no coordinator and no job")
  func whileAway() throws {
    let mesh = CoordinatorHarness()
    mesh.join(1, 2, 3)
    mesh.restart()
    mesh.join(1)
    mesh.join(sampleHello(9, name: "worker-2"))
    mesh.pass(Limits.rejoinTimeout - .milliseconds(200), beating: [1, 9])
    #expect(mesh.observed(.workerLost).isEmpty && list(mesh).count == 2)
    // Another coordinator still waits for it.
    mesh.restart(term: 5)
    mesh.join(1)
    mesh.join(sampleHello(9, name: "worker-2"))
    mesh.pass(Limits.rejoinTimeout + .milliseconds(200), beating: [1, 9])
    let lost = try #require(mesh.observed(.workerLost).first)
    #expect(mesh.observed(.workerLost).count == 1 && lost.worker == "worker-3")
    #expect(lost.detail == "it did not come back to the restarted coordinator")
    #expect(list(mesh).map(\.standing) == [.active, .active, .lost])
    #expect(list(mesh).last?.processID == 7)
  }

  @Test("those that were lost before are told of over restarts, and no longer than otherwise")
  func overRestarts() throws {
    let mesh = CoordinatorHarness()
    mesh.join(1, 2, 3)
    mesh.cut(3)
    mesh.now += .seconds(10)
    mesh.cut(2)
    let before = list(mesh).filter { $0.standing == .lost }
    mesh.restart(after: .seconds(60))
    let after = list(mesh)
    #expect(after.map(\.name) == ["worker-2", "worker-3"])
    #expect(after.map(\.loss) == before.map(\.loss))
    mesh.pass(Limits.rejoinTimeout + .milliseconds(200))
    #expect(mesh.observed(.workerLost).map(\.worker) == ["worker-3", "worker-2", "worker-1"])
    mesh.restart(after: Limits.lostWorkersKept - .seconds(60))
    #expect(list(mesh).map(\.name) == ["worker-1"])
  }

  @Test("a coordinator that was itself stopped waits as long for those that may come back")
  func stoppedItself() throws {
    let mesh = CoordinatorHarness()
    mesh.join(1)
    mesh.restart()
    mesh.send(.tick)
    mesh.now += .seconds(20)
    mesh.send(.tick)
    mesh.join(1)
    #expect(mesh.observed(.workerLost).isEmpty)
  }
}
