import MeshCore
import Testing

/// Keeps copies of others' ranks, and gives them back.
@Suite struct WorkerHolderTests {
  /// Four workers, a rank each; this one keeps the copies of ranks 1 and 2: 20 messages each.
  private func worker(mask: MaskRule = .full) throws -> WorkerHarness {
    let plan = Plan(job: sampleJob(queries: 5_120, keys: 5_120, mask: mask), vrankCount: 4)
    try #require(plan.messageCount(of: VRank(1)) == 20)
    let worker = WorkerHarness()
    worker.assign(plan, hosts: [0, 1, 2, 3], peers: 4, holders: [1, 0, 0, nil])
    return worker
  }

  private func kept(_ worker: WorkerHarness) -> [Int] {
    worker.effects.compactMap {
      if case .job(_, .held(.keepCopy(let header, _))) = $0 { header.message } else { nil }
    }
  }

  @Test("a copy is kept message by message, acknowledged now and then, and whole with the last one")
  func whole() throws {
    let worker = try worker()
    for message in 0..<20 {
      #expect(worker.held.isEmpty)
      worker.send(.copy(worker.header(1, next: 5, message: message), from: link(7), noBytes))
      let isAcknowledged = (message + 1) % Limits.copyMessagesPerReceipt == 0 || message == 19
      #expect(kept(worker) == [message] && worker.receipts == (isAcknowledged ? [.ok] : []))
    }
    #expect(worker.held == [1: 5])
    let completed = worker.first { effect -> Int? in
      if case .job(_, .held(.completeCopy(VRank(1), let first, _))) = effect { return first }
      return nil
    }
    #expect(completed == 0)
    #expect(worker.lastBeat?.held.map(\.next) == [5], "the coordinator hears of it at once")
  }

  @Test(
    "a message that came before is acknowledged and not kept again; after a gap nothing is said")
  func duplicatesAndGaps() throws {
    let worker = try worker()
    worker.hold(1, next: 5, messages: 0..<3)
    worker.send(.copy(worker.header(1, next: 5, message: 1), from: link(7), noBytes))
    #expect(kept(worker).isEmpty && worker.receipts == [.ok])
    worker.send(.copy(worker.header(1, next: 5, message: 4), from: link(7), noBytes))
    #expect(kept(worker).isEmpty && worker.receipts.isEmpty)
    worker.send(.copy(worker.header(1, next: 5, message: 3), from: link(7), noBytes))
    #expect(kept(worker) == [3] && worker.receipts == [.ok])
    worker.hold(1, next: 5, messages: 0..<20)
    #expect(worker.held == [1: 5])
    // The receipt of the last one may have been lost.
    worker.send(.copy(worker.header(1, next: 5, message: 19), from: link(7), noBytes))
    #expect(kept(worker).isEmpty && worker.receipts == [.ok])
  }

  @Test("the middle of a copy of which nothing is here is not taken")
  func middle() throws {
    let worker = try worker()
    worker.send(.copy(worker.header(1, next: 5, message: 3), from: link(7), noBytes))
    #expect(worker.effects.isEmpty)
  }

  @Test("the last whole copy is kept until the newer one is whole")
  func generations() throws {
    let worker = try worker()
    worker.hold(1, next: 5, messages: 0..<20)
    worker.hold(1, next: 9, messages: 0..<19)
    #expect(worker.held == [1: 5])
    // The newer one is given up for one that is newer still.
    worker.hold(1, next: 12, messages: 0..<1)
    #expect(
      worker.effects.contains {
        if case .job(_, .held(.dropPartialCopy(VRank(1)))) = $0 { true } else { false }
      })
    #expect(worker.held == [1: 5])
    worker.hold(1, next: 12, messages: 0..<20)
    #expect(worker.held == [1: 12])
    // What was overtaken on its way counts no more.
    worker.send(.copy(worker.header(1, next: 9, message: 19), from: link(7), noBytes))
    #expect(kept(worker).isEmpty && worker.held == [1: 12])
  }

  @Test("a lower epoch than one seen is refused, also when only the table or a pull showed it")
  func epochs() throws {
    let worker = try worker()
    worker.hold(1, next: 5, messages: 0..<20, epoch: 50)
    worker.send(.copy(worker.header(1, next: 9, message: 0, epoch: 49), from: link(7), noBytes))
    #expect(worker.receipts == [.failedPrecondition] && kept(worker).isEmpty)
    worker.adopt { $0[1].epoch = Epoch(term: 1, counter: 60) }
    worker.send(.copy(worker.header(1, next: 9, message: 0, epoch: 59), from: link(7), noBytes))
    #expect(worker.receipts == [.failedPrecondition])
    let pull = StatePull(
      job: worker.job, planTag: worker.planTag, vrank: VRank(1),
      epoch: Epoch(term: 1, counter: 70), messages: 0..<1)
    worker.send(.statePull(pull, from: link(8)))
    worker.send(.copy(worker.header(1, next: 9, message: 0, epoch: 69), from: link(7), noBytes))
    #expect(worker.receipts == [.failedPrecondition] && worker.held == [1: 5])
    worker.send(.copy(worker.header(1, next: 9, message: 0, epoch: 70), from: link(7), noBytes))
    #expect(kept(worker) == [0])
    #expect(
      worker.history.count { effect in
        if case .observe(let told) = effect { return told.kind == .staleRefused }
        return false
      } == 3)
  }

  @Test("a copy under a higher epoch replaces one of a lower, though it may be further back")
  func higherEpochFurtherBack() throws {
    let worker = try worker()
    worker.hold(1, next: 9, messages: 0..<20, epoch: 50)
    worker.hold(1, next: 4, messages: 0..<20, epoch: 51)
    #expect(worker.held == [1: 4])
  }

  @Test("a copy that builds upon one that isn't here is refused as NOT_FOUND")
  func base() throws {
    // Causal: rank 1 has query tiles 20 ..< 40, which see up to K/V tiles 6 ... 10.
    let worker = try worker(mask: .causal)
    worker.send(.copy(worker.header(1, next: 8, first: 12, message: 12), from: link(7), noBytes))
    #expect(worker.receipts == [.notFound] && kept(worker).isEmpty)
    worker.hold(1, next: 7, messages: 0..<20)
    // Tiles 20 ... 27 see 7 tiles at most: their rows are as they will be.
    worker.hold(1, next: 8, messages: 8..<20)
    #expect(worker.held == [1: 8])
    let first = worker.first { effect -> Int? in
      if case .job(_, .held(.completeCopy(_, let first, _))) = effect { return first }
      return nil
    }
    #expect(first == 8)
    worker.send(.copy(worker.header(1, next: 10, first: 17, message: 17), from: link(7), noBytes))
    #expect(worker.receipts == [.notFound], "tile 36 has seen more since")
  }

  @Test("who wasn't told to keep a rank's copies says so")
  func notTheHolder() throws {
    let worker = try worker()
    for vrank in [0, 3] {
      worker.send(.copy(worker.header(vrank, next: 5, message: 0), from: link(7), noBytes))
      #expect(worker.receipts == [.unavailable] && kept(worker).isEmpty)
    }
    // The table may come later than the copy.
    worker.adopt { $0[3].holder = 0 }
    worker.hold(3, next: 5, messages: 0..<20)
    #expect(worker.held == [3: 5])
  }

  @Test("without the job there is nothing to keep it with")
  func withoutJob() {
    let worker = WorkerHarness()
    worker.send(.copy(worker.header(1, next: 5, message: 0), from: link(7), noBytes))
    #expect(worker.receipts == [.unavailable])
    let pull = StatePull(
      job: worker.job, planTag: 0, vrank: VRank(0), epoch: .lowest, messages: 0..<8)
    worker.send(.statePull(pull, from: link(7)))
    let status = worker.first { effect -> StatusCode? in
      if case .job(_, .held(.stateAnswer(let answer, _))) = effect { return answer.status }
      return nil
    }
    #expect(status == .notFound)
  }

  @Test("copies that the table no longer wants here are dropped; a source keeps them")
  func dropped() throws {
    let worker = try worker()
    worker.hold(1, next: 5, messages: 0..<20)
    worker.hold(2, next: 6, messages: 0..<20)
    worker.adopt { hosts in
      hosts[1].holder = 2
      hosts[2] = Assignment.Host(
        peer: 1, epoch: Epoch(term: 1, counter: 60), holder: 3, sources: [0], isFresh: false)
    }
    let drops = worker.effects.compactMap { effect -> Int? in
      if case .job(_, .held(.dropCopy(let vrank))) = effect { return vrank.index }
      return nil
    }
    #expect(drops == [1] && worker.held == [2: 6])
    worker.adopt { $0[2].duty = .serve }
    #expect(worker.held.isEmpty, "what is final needs no copy")
  }

  @Test("a new host gets the copy, as many messages as it asks for and no more than its credit")
  func served() throws {
    let worker = try worker()
    worker.hold(1, next: 5, messages: 0..<20)
    func pull(_ messages: Range<Int>, epoch: UInt64 = 60, vrank: Int = 1, tag: UInt64? = nil)
      -> (StateAnswer?, [Int])
    {
      let pull = StatePull(
        job: worker.job, planTag: tag ?? worker.planTag, vrank: VRank(vrank),
        epoch: Epoch(term: 1, counter: epoch), messages: messages)
      worker.send(.statePull(pull, from: link(8)))
      let served = worker.effects.compactMap { effect -> Int? in
        guard case .job(_, .held(.serveCopy(let header, link(8)))) = effect else { return nil }
        #expect(header.next == 5 && header.epoch == Epoch(term: 1, counter: epoch))
        return header.message
      }
      let answer = worker.first { effect -> StateAnswer? in
        if case .job(_, .held(.stateAnswer(let answer, _))) = effect { return answer }
        return nil
      }
      return (answer, served)
    }
    var (answer, served) = pull(0..<8)
    #expect(answer?.status == .ok && answer?.next == 5 && served == Array(0..<8))
    (answer, served) = pull(16..<20)
    #expect(served == [16, 17, 18, 19])
    for (messages, expected) in [
      (0..<20, Array(0..<8)), (0..<Int.max, Array(0..<8)), (Int.min..<3, [0, 1, 2]),
      (19..<Int.max, [19]), (20..<25, []), (Int.min..<Int.min, []), (5..<5, []),
    ] {
      (answer, served) = pull(messages)
      #expect(answer?.status == .ok && served == expected, "\(messages)")
    }
    (answer, served) = pull(0..<8, epoch: 59)
    #expect(answer?.status == .failedPrecondition && served.isEmpty)
    (answer, served) = pull(0..<8, vrank: 2)
    #expect(answer?.status == .notFound && served.isEmpty, "nothing whole of it is here")
    worker.hold(2, next: 3, messages: 0..<19)
    (answer, served) = pull(0..<8, vrank: 2)
    #expect(answer?.status == .notFound && served.isEmpty)
    (answer, served) = pull(0..<8, tag: 1)
    #expect(answer?.status == .notFound && served.isEmpty)
    for vrank in [Int.min, -1, 4, .max] {
      (answer, served) = pull(0..<8, vrank: vrank)
      #expect(answer?.status == .notFound && served.isEmpty)
    }
  }

  @Test("messages outside the plan are refused, damaged ones as DATA_LOSS")
  func hostile() throws {
    let worker = try worker()
    for (vrank, next, first, message) in [
      (-1, 5, 0, 0), (4, 5, 0, 0), (.max, 5, 0, 0), (1, 0, 0, 0), (1, -1, 0, 0), (1, 21, 0, 0),
      (1, .max, 0, 0), (1, 5, 0, 20), (1, 5, 0, -1), (1, 5, 0, .max), (1, 5, 0, .min),
      (1, 5, 3, 2),
    ] {
      let header = worker.header(vrank, next: next, first: first, message: message)
      worker.send(.copy(header, from: link(7), noBytes))
      #expect(worker.receipts == [.outOfRange] && kept(worker).isEmpty, "\(header)")
    }
    worker.send(.badCopy(worker.header(1, next: 5, message: 0), from: link(7)))
    #expect(worker.receipts == [.dataLoss] && kept(worker).isEmpty)
  }

  @Test("a first message below zero, or beyond the last one, is refused")
  func hostileFirst() throws {
    for first in [Int.min, -1, 20, 21, .max] {
      let worker = try worker()
      worker.send(
        .copy(worker.header(1, next: 5, first: first, message: first), from: link(7), noBytes))
      #expect(worker.receipts == [.outOfRange] && kept(worker).isEmpty, "\(first)")
    }
  }
}
