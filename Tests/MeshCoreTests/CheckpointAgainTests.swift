import MeshCore
import Testing

/// Copies that are made anew before anything more was folded.
@Suite struct CheckpointAgainTests {
  private func snapshots(_ effects: [Worker.Effect]) -> [Int] {
    effects.compactMap {
      if case .job(_, .copy(.snapshot(_, _, let next, _))) = $0 { next } else { nil }
    }
  }

  private func slots(_ effects: [Worker.Effect]) -> [Int] {
    effects.compactMap {
      if case .job(_, .copy(.persist(_, _, let slot, _, _, _))) = $0 { slot } else { nil }
    }
  }

  private func sent(_ effects: [Worker.Effect], to source: Worker.Source) -> Int {
    effects.count { if case .job(_, .copy(.sendCopy(_, source))) = $0 { true } else { false } }
  }

  @Test("a copy for another holder isn't written to a disk that has it", arguments: [1, nil])
  func holderChanges(holder: Int?) throws {
    let plan = Plan(job: sampleJob(queries: 64, keys: 30 * 256, mask: .full), vrankCount: 1)
    let worker = WorkerHarness(hasSlots: true)
    worker.assign(plan, hosts: [0], peers: 3, holders: [holder])
    worker.deliverStore()
    let next = try #require(snapshots(worker.history).first)
    let epoch = worker.epoch(of: 0)
    worker.send(.snapshotTaken(VRank(0), epoch, next: next, cost: .milliseconds(1)))
    let slot = try #require(slots(worker.effects).first)
    worker.forgetHistory()
    worker.adopt { $0[0].holder = 2 }
    worker.send(
      .persisted(VRank(0), epoch, slot: slot, next: next, cost: .milliseconds(1)))
    #expect(snapshots(worker.history) == [next], "the new holder has nothing")
    worker.send(.snapshotTaken(VRank(0), epoch, next: next, cost: .milliseconds(1)))
    #expect(slots(worker.effects).isEmpty)
    #expect(sent(worker.effects, to: peer(2)) > 0)
    // Nobody is left to keep one, and the disk has it.
    worker.forgetHistory()
    worker.adopt { $0[0].holder = nil }
    worker.send(.tick)
    #expect(snapshots(worker.history).isEmpty)
  }
}
