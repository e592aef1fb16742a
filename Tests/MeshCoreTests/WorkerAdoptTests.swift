import MeshCore
import Testing

/// A worker follows the newest table of hosts.
@Suite struct WorkerAdoptTests {
  /// Three workers, one rank each, 12 K/V tiles of one part, 16 query tiles a rank.
  private let plan = Plan(job: sampleJob(queries: 3_072, mask: .full), vrankCount: 3)

  private func worker(hosts: [Int] = [0, 1, 2], holders: [Int?]? = nil) -> WorkerHarness {
    let worker = WorkerHarness()
    worker.assign(plan, hosts: hosts, peers: 3, holders: holders)
    return worker
  }

  private func epoch(_ counter: UInt64) -> Epoch { Epoch(term: 1, counter: counter) }

  private func hosted(_ worker: WorkerHarness) -> [Int] {
    worker.core.run?.ranks.map(\.vrank.index) ?? []
  }

  @Test("a table that is older, or the same once more, changes nothing")
  func olderRevision() throws {
    let worker = worker()
    worker.adopt { $0[1] = Assignment.Host(peer: 0, epoch: epoch(20), isFresh: false) }
    #expect(hosted(worker) == [0, 1])
    let table = try #require(worker.core.run?.assignment)
    let older = [table, table.next(revision: epoch(4)), table.next(revision: .lowest)]
    for stale in older {
      worker.send(.coordinator(.assign(stale, term: 3)))
      #expect(worker.effects.isEmpty && worker.core.run?.assignment == table)
    }
  }

  @Test("a table that arrives after the worker's part has ended doesn't bring its ranks back")
  func staleTable() throws {
    let worker = worker()
    let first = try #require(worker.core.run?.assignment)
    worker.adopt { $0[0] = Assignment.Host(peer: 1, epoch: epoch(20), isFresh: false) }
    #expect(hosted(worker).isEmpty)
    worker.send(.coordinator(.release(worker.job, isOver: false, term: 3)))
    worker.send(.coordinator(.assign(first, term: 3)))
    #expect(worker.effects.isEmpty && worker.core.run == nil)
    // Nor does one of a job that was over before another began.
    let other = Assignment(
      job: JobID(high: 2, low: 2), spec: first.spec, inputs: first.inputs,
      vrankCount: first.vrankCount, planHash: first.planHash, revision: epoch(500),
      isProtected: true, peers: first.peers, hosts: first.hosts)
    worker.send(.coordinator(.assign(other, term: 3)))
    worker.send(.coordinator(.assign(first.next(), term: 3)))
    #expect(worker.core.run?.job == other.job)
    // What is newer counts.
    worker.send(.coordinator(.assign(first.next(revision: epoch(501)), term: 3)))
    #expect(worker.core.run?.job == worker.job && hosted(worker) == [0])
  }

  @Test("a table of the same job with another plan is not taken: the state would not fit it")
  func anotherPlan() throws {
    let worker = worker()
    let table = try #require(worker.core.run?.assignment)
    let smaller = Plan(job: sampleJob(queries: 700), vrankCount: 2)
    let other = sampleAssignment(smaller, hosts: [0, 1], peers: 2, job: worker.job)
    worker.send(.coordinator(.assign(other.next(revision: epoch(500)), term: 3)))
    #expect(worker.effects.isEmpty && worker.core.run?.assignment == table)
    // It doesn't keep out what comes under lower revisions either.
    worker.adopt { $0[1] = Assignment.Host(peer: 0, epoch: epoch(20), isFresh: false) }
    #expect(hosted(worker) == [0, 1])
  }

  @Test("a rank that is another's now is abandoned; its rows are let go, what is asked for too")
  func abandons() throws {
    let worker = worker()
    worker.deliver(.query(0), from: .store)
    worker.adopt { $0[0] = Assignment.Host(peer: 1, epoch: epoch(20), isFresh: false) }
    #expect(hosted(worker).isEmpty)
    let abandoned = worker.first { effect -> VRank? in
      if case .job(_, .step(.abandon(let vrank, Epoch(term: 1, counter: 1)))) = effect {
        return vrank
      }
      return nil
    }
    #expect(abandoned == VRank(0))
    worker.deliver(.query(1), from: .store)
    #expect(worker.effects.isEmpty)
    worker.send(.folded(VRank(0), epoch(1), next: 1, cost: .zero))
    worker.send(.finished(VRank(0), epoch(1)))
    #expect(worker.effects.isEmpty && worker.core.run?.progress.isEmpty == true)
  }

  @Test("a rank given to this worker is hosted under its new epoch and its state is sought")
  func hosts() throws {
    let worker = worker()
    worker.adopt {
      $0[1] = Assignment.Host(peer: 0, epoch: epoch(20), sources: [2], isFresh: false)
    }
    #expect(hosted(worker) == [0, 1])
    let hostedNow = worker.first { effect -> Epoch? in
      if case .job(_, .step(.host(VRank(1), let epoch))) = effect { return epoch }
      return nil
    }
    #expect(hostedNow == epoch(20))
    #expect(worker.statePulls.map(\.source) == [peer(2)])
    #expect(worker.statePulls.first?.pull.epoch == epoch(20))
    // The coordinator hears at once that the table is followed.
    let beat = try #require(worker.lastBeat)
    #expect(beat.revision == worker.core.run?.assignment.revision)
    #expect(beat.progress.map(\.vrank.index) == [0, 1] && beat.progress[1].restored == nil)
  }

  @Test("the shard of a new rank is loaded from the store, and peers are told that it comes")
  func newShard() throws {
    let worker = worker()
    worker.deliverStore()
    worker.send(.pull(worker.pull(.keyValue(4)), from: link(1)))
    #expect(worker.answers == [.no] || worker.answers == [.coming])
    worker.adopt { $0[1] = Assignment.Host(peer: 0, epoch: epoch(20), isFresh: false) }
    let asked = worker.pulled.filter { $0.0.tile.tensor == .keyValue && $0.1 == .store }
    #expect(Set(asked.map(\.0.tile.index)).isSubset(of: [4, 5, 6, 7]))
    worker.send(.pull(worker.pull(.keyValue(7)), from: link(1)))
    #expect(worker.answers == [.coming])
    worker.deliver(.keyValue(7), from: .store)
    #expect(worker.served == [[1, 7, 0]])
  }

  @Test("its own rank under a new epoch begins anew: what was folded under the old one is sought")
  func sameRankNewEpoch() throws {
    let worker = worker()
    worker.deliverStore()
    worker.foldAll()
    #expect((worker.progress()?.next ?? 0) > 0)
    worker.adopt {
      $0[0] = Assignment.Host(peer: 0, epoch: epoch(20), sources: [1], isFresh: false)
    }
    #expect(worker.progress()?.next == 0 && worker.progress()?.epoch == epoch(20))
    #expect(worker.statePulls.map(\.source) == [peer(1)])
    // Folds of the old epoch that are still reported don't count.
    worker.send(.folded(VRank(0), epoch(1), next: 6, cost: .zero))
    #expect(worker.progress()?.next == 0)
  }

  @Test("tiles asked of a worker that is gone are asked elsewhere")
  func sourceGone() throws {
    let worker = worker()
    for tile in 0..<16 { worker.deliver(.query(tile), from: .store) }
    for tile in 0..<4 { worker.deliver(.keyValue(tile), from: .store) }
    worker.fold(1)
    try #require(worker.pulled.map(\.1) == [peer(2)])
    let table = try #require(worker.core.run?.assignment)
    worker.adopt(peers: Array(table.peers.prefix(2))) {
      $0[2] = Assignment.Host(peer: 1, epoch: epoch(20), isFresh: false)
    }
    #expect(worker.pulled.filter { $0.0.tile == .keyValue(4) }.map(\.1) == [peer(1)])
  }

  @Test("a tile without an owner is asked of the store")
  func noOwner() throws {
    let worker = worker()
    for tile in 0..<16 { worker.deliver(.query(tile), from: .store) }
    for tile in 0..<4 { worker.deliver(.keyValue(tile), from: .store) }
    worker.adopt { $0[1] = Assignment.Host(peer: nil, epoch: epoch(20), isFresh: false) }
    worker.fold(1)
    #expect(worker.pulled.map(\.0.tile) == [.keyValue(4)] && worker.pulled.map(\.1) == [.store])
    for _ in 0..<4 {
      worker.send(.tick, after: Limits.pullTimeout)
      #expect(worker.pulled.filter { $0.0.tile == .keyValue(4) }.map(\.1) == [.store])
    }
  }

  @Test("a table without this worker releases it, with its last word")
  func withoutMe() throws {
    let worker = worker()
    let table = try #require(worker.core.run?.assignment)
    worker.adopt(peers: Array(table.peers.dropFirst())) { hosts in
      for index in hosts.indices {
        hosts[index] = Assignment.Host(peer: 0, epoch: epoch(20 + UInt64(index)), isFresh: false)
      }
    }
    #expect(worker.core.run == nil)
    #expect(worker.lastBeat?.isLast == true && worker.lastBeat?.job == worker.job)
    let released = worker.first { if case .release(_, let isOver) = $0 { isOver } else { nil } }
    #expect(released == false, "its checkpoints stay: the next host may want them")
  }

  @Test("epochs of a table are remembered: who comes with a lower one is refused")
  func remembersEpochs() throws {
    let worker = worker()
    worker.deliverStore()
    worker.adopt { $0[2] = Assignment.Host(peer: 1, epoch: epoch(20), isFresh: false) }
    for (counter, answer) in [(UInt64(3), PullAnswer.stale), (19, .stale), (20, .have)] {
      worker.send(.pull(worker.pull(.keyValue(0), vrank: 2, epoch: counter), from: link(1)))
      #expect(worker.answers == [answer], "epoch \(counter)")
    }
  }

  @Test("a rank that is final elsewhere is served: its tiles are loaded, its rows are not")
  func serveOnly() throws {
    let worker = worker()
    worker.adopt { $0[1] = Assignment.Host(peer: 0, epoch: epoch(20), duty: .serve) }
    #expect(worker.statePulls.isEmpty)
    worker.deliverStore()
    #expect(worker.core.run?.progress.map(\.vrank.index) == [0, 1])
    let rows = worker.pulls(worker.history).filter { $0.0.tile.tensor == .query }.map(
      \.0.tile.index)
    #expect(Set(rows) == Set(0..<16))
    worker.send(.pull(worker.pull(.keyValue(5)), from: link(1)))
    #expect(worker.answers == [.have])
  }

  @Test("a host told that its rank is final before the receipt came lets go of the result")
  func finalWithoutReceipt() throws {
    let plan = Plan(job: sampleJob(queries: 512, keys: 100, mask: .full), vrankCount: 1)
    let worker = WorkerHarness()
    worker.assign(plan, hosts: [0], peers: 2)
    worker.deliverStore()
    worker.foldAll()
    worker.finish()
    #expect(worker.resultMessages.count == 4)
    worker.adopt { $0[0].duty = .serve }
    #expect(
      worker.effects.contains { if case .job(_, .step(.retire)) = $0 { true } else { false } })
    worker.send(.tick, after: Limits.resultTimeout)
    #expect(worker.resultMessages.isEmpty)
    for message in 0..<4 {
      worker.receipt(message)
      #expect(worker.resultMessages.isEmpty)
    }
  }
}
