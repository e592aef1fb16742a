import AttentionMasks
import Checksums
import MeshCore
import Testing

/// A worker that is told to take part in a job whose block map it hasn't got.
@Suite struct BlocksFetchTests {
  private let map: BlockMap
  private let table: Assignment
  private let worker = WorkerHarness()

  init() throws {
    let (job, map) = try sampleMappedJob()
    self.map = map
    let plan = Plan(job: job, vrankCount: 3, blocks: map)
    let inputs = InputDigests(
      query: sampleDigest(1), key: sampleDigest(2), value: sampleDigest(3),
      blockMap: SHA256.hash(map.bytes))
    let plain = sampleAssignment(plan, hosts: [0, 1, 2], peers: 3)
    table = Assignment(
      job: plain.job, spec: job, inputs: inputs, vrankCount: 3,
      planHash: plan.hash(inputs: inputs, numerics: "fma"), revision: plain.revision,
      isProtected: true, peers: plain.peers, hosts: plain.hosts)
  }

  /// What the last event asked of the store.
  private var asked: [Int] {
    worker.effects.compactMap { if case .pullBlocks(let pull) = $0 { pull.offset } else { nil } }
  }

  private var begun: Plan? {
    worker.effects.firstNonNil { if case .begin(_, let plan) = $0 { plan } else { nil } }
  }

  private func deliver(_ range: Range<Int>, damaged: Bool = false) {
    var bytes = Array(map.bytes[range])
    if damaged { bytes[0] ^= 1 }
    worker.send(.blocks(BlocksPull(job: worker.job, offset: range.lowerBound), bytes))
  }

  @Test("it asks message by message, and begins with the contents and no sooner")
  func brings() throws {
    worker.assign(table)
    #expect(asked == [0] && worker.core.run == nil && begun == nil)
    deliver(0..<5)
    #expect(asked == [5] && worker.core.run == nil)
    // The same once more, and one that wasn't asked for.
    deliver(0..<5)
    deliver(8..<9)
    #expect(asked.isEmpty && worker.core.run == nil)
    deliver(5..<map.bytes.count)
    #expect(worker.core.fetch == nil && asked.isEmpty)
    #expect(try #require(begun).mask.blocks == map)
    #expect(worker.core.run?.plan.mask.blocks == map)
    #expect(worker.core.run?.ranks.map(\.vrank.index) == [0])
    #expect(!worker.pulled.isEmpty)
  }

  @Test("it follows the table while it waits, and says no to whoever asks for a tile")
  func follows() {
    worker.assign(table)
    worker.send(.tick, after: Limits.heartbeatInterval)
    let beats = worker.effects.compactMap { if case .beat(let beat) = $0 { beat } else { nil } }
    #expect(beats.map(\.job) == [worker.job] && beats.map(\.revision) == [table.revision])
    #expect(beats.map(\.progress) == [[]])
    worker.send(.pull(worker.pull(.keyValue(0)), from: link(2)))
    #expect(worker.answers == [.no])
  }

  @Test("it asks again where nothing comes, or the connection broke, and not all the time")
  func again() {
    worker.assign(table)
    deliver(0..<5)
    for _ in 0..<9 {
      worker.send(.tick, after: .milliseconds(100))
      #expect(asked.isEmpty)
    }
    worker.send(.tick, after: .milliseconds(100))
    #expect(asked == [5])
    worker.send(.sourceLost(.store))
    #expect(asked.isEmpty)
    worker.send(.tick, after: .milliseconds(50))
    #expect(asked == [5])
    worker.send(.job(JobID(high: 9, low: 9), .sourceLost(.store)))
    worker.send(.sourceLost(peer(1)))
    worker.send(.tick, after: .milliseconds(50))
    #expect(asked.isEmpty)
  }

  @Test("another map than the sealed one is asked for anew, and given up in the end")
  func damaged() {
    worker.assign(table)
    for _ in 1..<Limits.refusalsMaximum {
      deliver(0..<map.bytes.count, damaged: true)
      #expect(asked == [0] && worker.core.run == nil && worker.failures.isEmpty)
    }
    deliver(0..<map.bytes.count, damaged: true)
    #expect(worker.failures == ["the store's block map isn't the one that was sealed"])
    #expect(worker.core.run == nil && worker.core.fetch == nil)
  }

  @Test("a newer table replaces the one it begins with, and older ones don't")
  func newerTable() {
    worker.assign(table)
    let newer = table.next { $0[1].peer = 0 }
    worker.send(.coordinator(.assign(newer, term: 3)))
    worker.send(.coordinator(.assign(table, term: 3)))
    #expect(asked.isEmpty && worker.core.run == nil)
    deliver(0..<map.bytes.count)
    #expect(worker.core.run?.assignment == newer)
    #expect(worker.core.run?.ranks.map(\.vrank.index) == [0, 1])
  }

  @Test("a release, a table without it, or another job end the wait")
  func ends() {
    let without = table.next(peers: Array(table.peers.dropFirst())) { hosts in
      for index in hosts.indices { hosts[index].peer = hosts[index].peer.map { max(0, $0 - 1) } }
    }
    let other = Plan(job: sampleJob(queries: 700), vrankCount: 2)
    let revision = Epoch(term: 2, counter: 1)
    let next = sampleAssignment(other, hosts: [0, 1], peers: 2, job: JobID(high: 2, low: 2))
      .next(revision: revision)
    for order in [
      CoordinatorMessage.release(worker.job, isOver: true, term: 3), .assign(without, term: 3),
      .assign(next, term: 3),
    ] {
      let worker = WorkerHarness()
      worker.assign(table)
      worker.send(.coordinator(order))
      #expect(worker.core.fetch == nil)
      let words = worker.effects.compactMap {
        if case .beat(let beat) = $0, beat.isLast { beat.job } else { nil }
      }
      #expect(words == [worker.job])
      worker.send(.blocks(BlocksPull(job: worker.job, offset: 0), map.bytes))
      #expect(worker.core.run?.job != worker.job)
    }
  }

  @Test("whoever is told to end while it waits just goes")
  func leaves() {
    worker.assign(table)
    worker.send(.end)
    #expect(worker.effects.contains { if case .leave = $0 { true } else { false } })
  }
}
