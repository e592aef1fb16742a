import MeshCore
import Testing

/// Finds the state of a rank that another worker had.
@Suite struct WorkerRestoreTests {
  /// Four workers; this one is given rank 1 of peer 1. Its state has 20 messages, its rows see 13
  /// K/V tiles.
  private func worker(sources: [Int], hasSlots: Bool = true, holder: Int? = 2) throws
    -> WorkerHarness
  {
    let plan = Plan(job: sampleJob(queries: 5_120, keys: 3_328, mask: .full), vrankCount: 4)
    try #require(plan.messageCount(of: VRank(1)) == 20 && plan.keyTileCount == 13)
    let worker = WorkerHarness(hasSlots: hasSlots)
    worker.assign(plan, hosts: [0, 1, 2, 3], peers: 4)
    worker.adopt {
      $0[1] = Assignment.Host(
        peer: 0, epoch: Epoch(term: 1, counter: 20), holder: holder, sources: sources,
        isFresh: false)
    }
    return worker
  }

  @Test("from a peer's memory, a few messages at a time, and then it folds from there")
  func fromMemory() throws {
    let worker = try worker(sources: [2])
    #expect(worker.statePulls.map(\.source) == [peer(2)])
    #expect(worker.statePulls.map(\.pull.messages) == [0..<8])
    worker.answerState(1, next: 5, from: peer(2))
    for message in 0..<20 {
      #expect(worker.restored(1) == nil)
      worker.statePart(1, next: 5, message: message, from: peer(2))
      #expect(worker.loads == [message])
      if message == 7 { #expect(worker.statePulls.map(\.pull.messages) == [8..<16]) }
      if message == 15 { #expect(worker.statePulls.map(\.pull.messages) == [16..<20]) }
      // The answer to each pull comes before its messages.
      if message == 7 || message == 15 { worker.answerState(1, next: 5, from: peer(2)) }
    }
    #expect(worker.restored(1) == WorkerMessage.Restored(tier: .memory, next: 5))
    let progress = try #require(worker.lastBeat?.progress.first { $0.vrank.index == 1 })
    #expect(progress.next == 5 && progress.restored?.tier == .memory)
    // It came from the holder's memory, where it still is.
    #expect(progress.copied == 5)
    for tile in 20..<40 { worker.deliver(.query(tile), from: .store) }
    for tile in [5, 6] { worker.deliver(.keyValue(tile), from: .store) }
    let folded = worker.folding.filter { $0.vrank.index == 1 }.map(\.tiles.lowerBound)
    #expect(folded.first == 5)
  }

  @Test("a source that isn't the holder is no copy to count on: a new one is made at once")
  func fromAnotherSource() throws {
    let worker = try worker(sources: [3])
    worker.answerState(1, next: 5, from: peer(3))
    for message in 0..<20 {
      worker.statePart(1, next: 5, message: message, from: peer(3))
      if message % 8 == 7 { worker.answerState(1, next: 5, from: peer(3)) }
    }
    #expect(worker.progress(1)?.copied == 0 && worker.restored(1)?.next == 5)
    #expect(worker.snapshots.map(\.vrank) == [1] && worker.snapshots.map(\.next) == [5])
    #expect(worker.snapshots.map(\.first) == [0])
  }

  @Test("peer, second peer, checkpoint, and then from the inputs")
  func tiersInOrder() throws {
    let worker = try worker(sources: [2, 3])
    #expect(worker.statePulls.map(\.source) == [peer(2)] && !worker.asksSlot)
    worker.answerState(1, next: 0, .notFound, from: peer(2))
    #expect(worker.statePulls.map(\.source) == [peer(3)] && !worker.asksSlot)
    worker.answerState(1, next: 0, .failedPrecondition, from: peer(3))
    #expect(worker.statePulls.isEmpty && worker.asksSlot)
    let epoch = worker.epoch(of: 1)
    worker.send(.restored(VRank(1), epoch, nil))
    #expect(!worker.asksSlot)
    #expect(worker.restored(1) == WorkerMessage.Restored(tier: .recompute, next: 0))
    #expect(worker.progress(1)?.next == 0)
    // Once is enough.
    worker.send(.restored(VRank(1), epoch, .init(tier: .slot, next: 3)))
    #expect(worker.restored(1)?.tier == .recompute)
  }

  @Test("checkpoints, the newest or the one before", arguments: [RestoreTier.slot, .otherSlot])
  func fromSlots(tier: RestoreTier) throws {
    let worker = try worker(sources: [])
    #expect(worker.asksSlot)
    worker.send(
      .restored(
        VRank(1), worker.epoch(of: 1), WorkerMessage.Restored(tier: tier, next: 4)))
    #expect(worker.restored(1) == WorkerMessage.Restored(tier: tier, next: 4))
    #expect(worker.progress(1)?.next == 4)
    #expect(worker.snapshots.map(\.next) == [4], "nobody's memory has it")
  }

  @Test("without a directory for checkpoints there is nothing to look for there")
  func withoutSlots() throws {
    let worker = try worker(sources: [], hasSlots: false)
    #expect(!worker.asksSlot && worker.restored(1)?.tier == .recompute)
  }

  @Test("from its own memory, if it holds the copy")
  func fromOwnMemory() throws {
    let plan = Plan(job: sampleJob(queries: 5_120, keys: 3_328, mask: .full), vrankCount: 4)
    let worker = WorkerHarness(hasSlots: true)
    worker.assign(plan, hosts: [0, 1, 2, 3], peers: 4, holders: [nil, 0, nil, nil])
    worker.hold(1, next: 6, messages: 0..<20, epoch: 2)
    #expect(worker.held == [1: 6])
    worker.adopt {
      $0[1] = Assignment.Host(
        peer: 0, epoch: Epoch(term: 1, counter: 20), holder: 2, sources: [0, 3], isFresh: false)
    }
    #expect(worker.asksHeld && worker.statePulls.isEmpty)
    let found = WorkerMessage.Restored(tier: .memory, next: 6)
    worker.send(.restored(VRank(1), worker.epoch(of: 1), found))
    #expect(worker.restored(1) == found)
    // Its memory dies with it: another's has to have it.
    #expect(worker.snapshots.map(\.next) == [6] && worker.progress(1)?.copied == 0)
  }

  @Test("named as a source without having a copy, it asks the next one")
  func ownMemoryEmpty() throws {
    let worker = try worker(sources: [0, 3])
    #expect(!worker.asksHeld && worker.statePulls.map(\.source) == [peer(3)])
  }

  @Test("a copy in its own memory that can't be read leads to the next source")
  func ownMemoryBroken() throws {
    let plan = Plan(job: sampleJob(queries: 5_120, keys: 3_328, mask: .full), vrankCount: 4)
    let worker = WorkerHarness(hasSlots: true)
    worker.assign(plan, hosts: [0, 1, 2, 3], peers: 4, holders: [nil, 0, nil, nil])
    worker.hold(1, next: 6, messages: 0..<20, epoch: 2)
    worker.adopt {
      $0[1] = Assignment.Host(
        peer: 0, epoch: Epoch(term: 1, counter: 20), sources: [0, 3], isFresh: false)
    }
    worker.send(.restored(VRank(1), worker.epoch(of: 1), nil))
    #expect(worker.statePulls.map(\.source) == [peer(3)])
  }

  @Test("a source lost, silent or damaged in the middle is left for the next", arguments: 0..<4)
  func sourceFails(way: Int) throws {
    let worker = try worker(sources: [2, 3])
    worker.answerState(1, next: 5, from: peer(2))
    for message in 0..<3 { worker.statePart(1, next: 5, message: message, from: peer(2)) }
    switch way {
    case 0: worker.send(.sourceLost(peer(2)))
    case 1:
      worker.send(.tick, after: Limits.copyTimeout - .milliseconds(1))
      #expect(worker.statePulls.isEmpty)
      worker.send(.tick)
    case 2:
      let header = CopyHeader(
        job: worker.job, planTag: worker.planTag, vrank: VRank(1), epoch: worker.epoch(of: 1),
        next: 5, first: 0, message: 3, count: worker.messageCount(1))
      worker.send(.badStatePart(header, from: peer(2)))
    default:
      let table = try #require(worker.core.run?.assignment)
      let peers = table.peers.enumerated().map { index, old in
        index == 2
          ? Assignment.Peer(worker: WorkerID(incarnation: 9), endpoint: "9") : old
      }
      worker.adopt(peers: peers)
    }
    #expect(worker.statePulls.map(\.source) == [peer(3)])
    #expect(worker.statePulls.map(\.pull.messages) == [0..<8], "from the beginning")
    // What still comes from the first one is not taken.
    worker.statePart(1, next: 5, message: 3, from: peer(2))
    worker.answerState(1, next: 5, from: peer(2))
    #expect(worker.loads.isEmpty)
    worker.answerState(1, next: 4, from: peer(3))
    for message in 0..<20 {
      worker.statePart(1, next: 4, message: message, from: peer(3))
      if message % 8 == 7 { worker.answerState(1, next: 4, from: peer(3)) }
    }
    #expect(worker.restored(1) == WorkerMessage.Restored(tier: .memory, next: 4))
  }

  @Test("the last source is asked again from where it stopped, a few times, and then left")
  func lastSourceIsSilent() throws {
    let worker = try worker(sources: [2])
    worker.answerState(1, next: 5, from: peer(2))
    for message in 0..<3 { worker.statePart(1, next: 5, message: message, from: peer(2)) }
    for _ in 0..<Limits.copyRepeatsMaximum {
      worker.send(.tick, after: Limits.copyTimeout)
      #expect(worker.statePulls.map(\.source) == [peer(2)])
      #expect(worker.statePulls.map(\.pull.messages) == [3..<11])
      #expect(!worker.asksSlot)
    }
    worker.send(.tick, after: Limits.copyTimeout)
    #expect(worker.statePulls.isEmpty && worker.asksSlot)
  }

  @Test("a broken connection or a damaged message doesn't make the last source useless")
  func lastSourceStumbles() throws {
    let worker = try worker(sources: [2])
    worker.answerState(1, next: 5, from: peer(2))
    for message in 0..<3 { worker.statePart(1, next: 5, message: message, from: peer(2)) }
    let header = CopyHeader(
      job: worker.job, planTag: worker.planTag, vrank: VRank(1), epoch: worker.epoch(of: 1),
      next: 5, first: 0, message: 3, count: worker.messageCount(1))
    for stumble in [
      JobEvent.badStatePart(header, from: peer(2)), .sourceLost(peer(2)),
    ] {
      worker.send(stumble)
      #expect(!worker.asksSlot && worker.restored(1) == nil)
      worker.send(.tick, after: Limits.copyTimeout)
      #expect(worker.statePulls.map(\.pull.messages) == [3..<11])
    }
  }

  @Test("a copy that changes while it is read is left: its halves don't belong together")
  func changesMeanwhile() throws {
    let worker = try worker(sources: [2, 3])
    worker.answerState(1, next: 5, from: peer(2))
    for message in 0..<8 { worker.statePart(1, next: 5, message: message, from: peer(2)) }
    worker.answerState(1, next: 6, from: peer(2))
    #expect(worker.statePulls.map(\.source) == [peer(3)])
  }

  @Test("messages out of order, twice, of another copy or unasked for are not taken")
  func strangeMessages() throws {
    let worker = try worker(sources: [2])
    worker.statePart(1, next: 5, message: 0, from: peer(2))
    #expect(worker.loads.isEmpty, "the answer comes first")
    worker.answerState(1, next: 5, from: peer(2))
    for (next, message, source) in [
      (5, 1, peer(2)), (4, 0, peer(2)), (5, 0, peer(3)), (5, 0, .store), (5, -1, peer(2)),
      (5, Int.max, peer(2)), (5, 8, peer(2)),
    ] {
      worker.statePart(1, next: next, message: message, from: source)
      #expect(worker.loads.isEmpty, "\(next) \(message)")
    }
    worker.statePart(1, next: 5, message: 0, from: peer(2))
    #expect(worker.loads == [0])
    worker.statePart(1, next: 5, message: 0, from: peer(2))
    worker.statePart(0, next: 5, message: 1, from: peer(2))
    #expect(worker.loads.isEmpty)
  }

  @Test("answers under another epoch, or that can't be, are not believed")
  func strangeAnswers() throws {
    for next in [Int.min, -1, 0, 14, .max] {
      let worker = try worker(sources: [2, 3])
      worker.answerState(1, next: next, from: peer(2))
      #expect(worker.statePulls.map(\.source) == [peer(3)], "next \(next)")
    }
    let worker = try worker(sources: [2, 3])
    worker.answerState(1, next: 5, from: peer(2), epoch: Epoch(term: 1, counter: 2))
    worker.answerState(1, next: 5, from: peer(3))
    worker.answerState(0, next: 5, from: peer(2))
    #expect(worker.statePulls.isEmpty)
    worker.statePart(1, next: 5, message: 0, from: peer(2))
    #expect(worker.loads.isEmpty)
  }

  @Test("a state that says it is beyond the rank's last tile is not gone on from")
  func beyondTheEnd() throws {
    for next in [Int.min, -1, 0, 14, .max] {
      let worker = try worker(sources: [])
      worker.send(
        .restored(
          VRank(1), worker.epoch(of: 1), WorkerMessage.Restored(tier: .slot, next: next)
        ))
      #expect(worker.restored(1) == WorkerMessage.Restored(tier: .recompute, next: 0))
    }
  }

  @Test("a whole state is finished at once, without a fold")
  func wholeState() throws {
    let worker = try worker(sources: [])
    worker.send(
      .restored(
        VRank(1), worker.epoch(of: 1), WorkerMessage.Restored(tier: .slot, next: 13)))
    for tile in 20..<40 { worker.deliver(.query(tile), from: .store) }
    let finishes = worker.history.contains { effect in
      if case .job(_, .step(.finish(VRank(1), _))) = effect { return true }
      return false
    }
    #expect(finishes && worker.folding.allSatisfy { $0.vrank.index != 1 })
  }

  @Test("a new table in the middle of the search ends it: the rank is another's")
  func movedMeanwhile() throws {
    let worker = try worker(sources: [2])
    worker.answerState(1, next: 5, from: peer(2))
    worker.adopt { $0[1] = Assignment.Host(peer: 3, epoch: Epoch(term: 1, counter: 30)) }
    worker.statePart(1, next: 5, message: 0, from: peer(2))
    #expect(worker.loads.isEmpty)
    worker.send(.restored(VRank(1), Epoch(term: 1, counter: 20), nil))
    #expect(worker.effects.isEmpty)
  }

  @Test("the other ranks fold on while a state is looked for")
  func othersFold() throws {
    let worker = try worker(sources: [2])
    for tile in 0..<20 { worker.deliver(.query(tile), from: .store) }
    for tile in 0..<3 { worker.deliver(.keyValue(tile), from: .store) }
    #expect(!worker.folding.isEmpty && worker.folding.allSatisfy { $0.vrank.index == 0 })
    worker.foldAll()
    #expect(worker.progress(0)?.next == 3 && worker.progress(1)?.next == 0)
  }
}
