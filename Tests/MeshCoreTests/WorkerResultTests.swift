import MeshCore
import Testing

/// Handing in results.
@Suite struct WorkerResultTests {
  /// A worker alone whose only rank is folded and finished: 8 messages are to go.
  private func finished() throws -> WorkerHarness {
    let plan = Plan(job: sampleJob(queries: 512, keys: 100, mask: .full), vrankCount: 1)
    let worker = WorkerHarness()
    worker.assign(plan, hosts: [0], peers: 1)
    worker.deliverStore()
    worker.fold(1)
    let asksToFinish = worker.effects.contains {
      if case .job(_, .step(.finish)) = $0 { true } else { false }
    }
    #expect(asksToFinish && worker.resultMessages.isEmpty)
    worker.finish()
    return worker
  }

  @Test("a few messages at a time, acknowledged in order, then the end, then the memory is free")
  func inOrder() throws {
    let worker = try finished()
    #expect(worker.resultMessages == [0, 1, 2, 3])
    worker.receipt(1)
    #expect(worker.resultMessages.isEmpty, "message 0 comes first")
    for message in 0..<4 {
      worker.receipt(message)
      #expect(worker.resultMessages == [message + 4])
    }
    for message in 4..<8 {
      #expect(!worker.sentFinal)
      worker.receipt(message)
    }
    #expect(worker.sentFinal)
    worker.receipt(-1)
    #expect(worker.effects.count == 1)
    guard case .job(_, .step(.retire)) = worker.effects.first else {
      Issue.record("not retired")
      return
    }
    worker.receipt(-1)
    worker.send(.tick, after: .seconds(60))
    #expect(worker.resultMessages.isEmpty && !worker.sentFinal)
  }

  @Test("what isn't acknowledged goes again, the end too, for as long as it takes")
  func timeout() throws {
    let worker = try finished()
    worker.receipt(0)
    worker.send(.tick, after: Limits.resultTimeout)
    #expect(worker.resultMessages == [1, 2, 3, 4])
    for message in 1..<8 { worker.receipt(message) }
    #expect(worker.sentFinal)
    for _ in 0..<100 {
      worker.send(.tick, after: Limits.resultTimeout)
      #expect(worker.sentFinal && worker.failures.isEmpty)
    }
    worker.receipt(-1)
    #expect(!worker.sentFinal)
    worker.send(.tick, after: Limits.resultTimeout)
    #expect(!worker.sentFinal && worker.resultMessages.isEmpty)
  }

  @Test("damaged messages go again, no more of them at a time than usual")
  func dataLoss() throws {
    let worker = try finished()
    worker.receipt(0)
    worker.receipt(1, .dataLoss)
    #expect(worker.resultMessages == [1, 2, 3, 4])
    // The others of the first try were damaged as well: they are on their way again already.
    for message in 2...4 {
      worker.receipt(message, .dataLoss)
      #expect(worker.resultMessages.isEmpty)
    }
    for message in 1..<8 { worker.receipt(message) }
    #expect(worker.sentFinal)
    // The digest of the whole was wrong: everything goes again.
    worker.receipt(-1, .dataLoss)
    #expect(worker.resultMessages == [0, 1, 2, 3])
    for message in 0..<8 { worker.receipt(message) }
    #expect(worker.sentFinal)
    worker.receipt(-1)
    #expect(worker.failures.isEmpty)
  }

  @Test("receipts of another epoch, rank or message change nothing")
  func strangeReceipts() throws {
    let worker = try finished()
    for message in [Int.min, -2, -1, 4, 8, .max] {
      for status in StatusCode.allCases {
        worker.receipt(message, status)
        #expect(worker.effects.isEmpty, "message \(message), \(status)")
      }
    }
    let stale = ResultReceipt(
      job: worker.job, vrank: VRank(0), epoch: Epoch(term: 1, counter: 0), message: 0, status: .ok)
    worker.send(.receipt(stale))
    worker.receipt(0, vrank: 1)
    worker.receipt(0, vrank: .max - 1)
    #expect(worker.effects.isEmpty)
  }
}
