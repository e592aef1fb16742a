import AttentionMasks
import ElementTypes
import MeshCore
import Testing

/// The mesh at a glance.
@Suite struct MeshStatusTests {
  private func look(_ mesh: CoordinatorHarness) throws -> MeshStatus {
    guard case .success(.mesh(let status))? = mesh.call(.mesh, as: .viewer) else {
      throw Missing()
    }
    return status
  }

  private struct Missing: Error {}

  @Test("it counts workers by standing and jobs by state, and names the job that runs")
  func counts() throws {
    let mesh = CoordinatorHarness(quota: 1 << 40)
    let empty = try look(mesh)
    #expect(empty.workers.isEmpty && empty.jobs.isEmpty && empty.running == nil)
    #expect(empty.term == 3 && empty.protocolVersion == protocolVersion)
    #expect(empty.version == programVersion && !empty.isPersistent)
    mesh.join(1, 2, 3)
    mesh.join(sampleHello(4, isSpare: true))
    mesh.call(.cordon("worker-3", isLifted: false))
    let spec = sampleJob(queries: 600)
    let job = try #require(mesh.queue(spec))
    _ = try #require(mesh.queue(spec))
    mesh.now += .seconds(5)
    let status = try look(mesh)
    #expect(
      status.workers == [
        MeshStatus.WorkerCount(standing: .active, count: 2),
        MeshStatus.WorkerCount(standing: .spare, count: 1),
        MeshStatus.WorkerCount(standing: .cordoned, count: 1),
      ])
    #expect(
      status.jobs == [
        MeshStatus.JobCount(state: .queued, count: 1),
        MeshStatus.JobCount(state: .running, count: 1),
      ])
    #expect(status.running?.summary.job == job && status.running?.protection == Protection.none)
    #expect(status.uptimeSeconds > 5 && status.storeQuotaBytes == 1 << 40)
    #expect(status.storeBytes == 2 * (spec.inputBytes + spec.outputBytes + spec.logSumExpBytes))
  }

  @Test("a job is told without its documents and heads, and with the name of its mask")
  func masks() throws {
    let mesh = CoordinatorHarness(quota: 1 << 40)
    mesh.join(1)
    var spec = sampleJob(queries: 600)
    spec.mask = MaskRule(
      isCausal: true, documents: .init(queries: [599, 1], keys: [spec.keyTokens, 0]))
    spec.logits = LogitRule(softcap: 2, sinkLogits: Array(repeating: 1, count: spec.queryHeads))
    _ = try #require(mesh.queue(spec))
    let summary = try #require(try look(mesh).running?.summary)
    #expect(summary.mask == "causal, 2 documents, softcap 2.0, sink logits")
    #expect(summary.shapeText.hasSuffix(", \(spec.element.name), \(summary.mask)"))
    #expect(summary.flops == spec.flops() && summary.spec.mask == .causal)
  }

  @Test("alarms are the last events of trouble, no more than the limit, the newest last")
  func alarms() throws {
    let mesh = CoordinatorHarness()
    mesh.join(1)
    #expect(try look(mesh).alarms.isEmpty)
    for number in UInt64(10)..<30 {
      mesh.join(sampleHello(number, version: 0))
    }
    mesh.cut(1)
    let alarms = try look(mesh).alarms
    #expect(alarms.count == Limits.alarmsToldMaximum)
    #expect(alarms.last?.observation.kind == .workerLost)
    #expect(alarms.dropLast().allSatisfy { $0.observation.kind == .workerRefused })
    #expect(alarms.map(\.sequence) == alarms.map(\.sequence).sorted())
  }

  @Test("it tells how late the loop was, and forgets that after a while")
  func lag() throws {
    let mesh = CoordinatorHarness()
    func tick(_ milliseconds: Int) {
      mesh.now += .milliseconds(milliseconds) - mesh.step
      mesh.send(.tick)
    }
    tick(0)
    for _ in 0..<10 { tick(50) }
    #expect(try look(mesh).loopLagSeconds < 0.005)
    tick(170)
    for _ in 0..<10 { tick(50) }
    let late = try look(mesh).loopLagSeconds
    #expect(late > 0.11 && late < 0.13)
    for _ in 0..<420 { tick(50) }
    #expect(try look(mesh).loopLagSeconds < 0.005)
  }

  @Test("every kind of event has a level, and there are alarms of both kinds")
  func levels() {
    let levels = Observation.Kind.allCases.map(\.level)
    #expect(levels.contains(.error) && levels.contains(.warning))
    #expect(Observation.Kind.workerLost.level == .warning)
    #expect(Observation.Kind.jobFailed.level == .error)
    #expect(Observation.Kind.jobDone.level == .info)
  }
}
