import MeshCore

/// Copies and states, as a worker asks for them, keeps them and gives them back.
extension WorkerHarness {
  var planTag: UInt64 { core.run?.assignment.planHash.tag ?? 0 }

  /// The first effect that `find` takes something from, of the last event.
  func first<Found>(_ find: (Worker.Effect) -> Found?) -> Found? { effects.firstNonNil(find) }

  // MARK: Its own copies

  /// Snapshots asked for with the last event.
  var snapshots: [(vrank: Int, next: Int, first: Int)] {
    effects.compactMap { effect in
      guard case .job(_, .copy(.snapshot(let vrank, _, let next, let first))) = effect else {
        return nil
      }
      return (vrank.index, next, first)
    }
  }

  /// Messages of copies sent with the last event, and to whom.
  var copies: [(header: CopyHeader, source: Worker.Source)] {
    effects.compactMap { effect in
      guard case .job(_, .copy(.sendCopy(let header, let source))) = effect else { return nil }
      return (header, source)
    }
  }

  /// Slots being written since the last event.
  var writes: [(slot: Int, next: Int, first: Int)] {
    effects.compactMap { effect in
      guard case .job(_, .copy(.persist(_, _, let slot, let next, let first, _))) = effect else {
        return nil
      }
      return (slot, next, first)
    }
  }

  func snapshotTaken(vrank: Int = 0, next: Int, cost: Duration = .microseconds(100)) {
    send(.snapshotTaken(VRank(vrank), epoch(of: vrank), next: next, cost: cost))
  }

  func persisted(vrank: Int = 0, slot: Int, next: Int, cost: Duration = .zero) {
    send(.persisted(VRank(vrank), epoch(of: vrank), slot: slot, next: next, cost: cost))
  }

  /// The holder acknowledges whatever messages of the copy it was sent, until it has it all.
  func acknowledgeCopy() {
    var sent = copies
    while !sent.isEmpty {
      let (header, source) = sent.removeFirst()
      send(.copyReceipt(header.receipt(.ok), from: source))
      sent += copies
    }
  }

  /// How far the rank is protected, as the next heartbeat would say.
  func progress(_ vrank: Int = 0) -> WorkerMessage.Progress? {
    core.run?.progress.first { $0.vrank.index == vrank }
  }

  // MARK: Copies of others

  func messageCount(_ vrank: Int) -> Int {
    guard let plan = core.run?.plan, (0..<plan.vrankCount).contains(vrank) else { return 20 }
    return plan.messageCount(of: VRank(vrank))
  }

  /// A message of a copy of another host's rank.
  func header(
    _ vrank: Int, next: Int, first: Int = 0, message: Int, epoch: UInt64 = 50
  ) -> CopyHeader {
    CopyHeader(
      job: job, planTag: planTag, vrank: VRank(vrank), epoch: Epoch(term: 1, counter: epoch),
      next: next, first: first, message: message, count: messageCount(vrank))
  }

  /// Status of the receipts sent with the last event.
  var receipts: [StatusCode] {
    effects.compactMap { effect in
      guard case .job(_, .held(.receipt(let receipt, _))) = effect else { return nil }
      return receipt.status
    }
  }

  /// A copy comes in, message by message.
  func hold(
    _ vrank: Int, next: Int, messages: Range<Int>, epoch: UInt64 = 50, from number: UInt64 = 7
  ) {
    for message in messages {
      send(
        .copy(
          header(vrank, next: next, first: messages.lowerBound, message: message, epoch: epoch),
          from: link(number), noBytes))
    }
  }

  /// Ranks of which there are whole copies, and at which tile.
  var held: [Int: Int] {
    let copies = core.run?.heldCopies ?? []
    return Dictionary(uniqueKeysWithValues: copies.map { ($0.vrank.index, $0.next) })
  }

  // MARK: Restoring

  /// State asked for with the last event.
  var statePulls: [(pull: StatePull, source: Worker.Source)] {
    effects.compactMap { effect in
      guard case .job(_, .restore(.pullState(let pull, let source))) = effect else { return nil }
      return (pull, source)
    }
  }

  func answerState(
    _ vrank: Int, next: Int, _ status: StatusCode = .ok, from source: Worker.Source,
    epoch: Epoch? = nil
  ) {
    let answer = StateAnswer(
      job: job, vrank: VRank(vrank), epoch: epoch ?? self.epoch(of: vrank), next: next,
      count: status == .ok ? messageCount(vrank) : 0, status: status)
    send(.stateAnswer(answer, from: source))
  }

  func statePart(_ vrank: Int, next: Int, message: Int, from source: Worker.Source) {
    let header = CopyHeader(
      job: job, planTag: planTag, vrank: VRank(vrank), epoch: epoch(of: vrank), next: next,
      first: 0, message: message, count: messageCount(vrank))
    send(.statePart(header, from: source, noBytes))
  }

  /// Messages loaded with the last event.
  var loads: [Int] {
    effects.compactMap { effect in
      guard case .job(_, .restore(.loadState(let header, _))) = effect else { return nil }
      return header.message
    }
  }

  var asksSlot: Bool {
    effects.contains { if case .job(_, .restore(.restoreSlot)) = $0 { true } else { false } }
  }

  var asksHeld: Bool {
    effects.contains { if case .job(_, .restore(.restoreHeld)) = $0 { true } else { false } }
  }

  /// Where a rank's state was found, if it has gone on.
  func restored(_ vrank: Int = 0) -> WorkerMessage.Restored? {
    progress(vrank)?.restored
  }

  /// The heartbeat sent with the last event.
  var lastBeat: WorkerMessage.Heartbeat? {
    first { if case .beat(let beat) = $0 { beat } else { nil } }
  }

  /// Words to the coordinator, heartbeats aside.
  var words: [WorkerMessage] {
    effects.compactMap { if case .send(let message) = $0 { message } else { nil } }
  }
}
