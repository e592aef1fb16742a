/// Finds the state of a rank that another worker had: in memories, then on disk; where there is
/// none, the rank begins again.
extension WorkerRun {
  mutating func seekStates(at now: Duration, into effects: inout [Worker.Effect]) {
    for index in ranks.indices {
      guard let restoring = ranks[index].restoring, case .idle = restoring.stage else { continue }
      seek(index, at: now, into: &effects)
    }
  }

  /// Asks the next source of a rank's state.
  private mutating func seek(
    _ index: Int, at now: Duration, into effects: inout [Worker.Effect]
  ) {
    let (vrank, epoch) = ranks[index].identity
    while let source = ranks[index].restoring?.sources.first {
      ranks[index].restoring?.sources.removeFirst()
      if source == worker {
        guard held.contains(where: { $0.vrank == vrank && $0.whole != nil }) else { continue }
        // Memory answers: only a disk may not.
        ranks[index].restoring?.stage = .loading(deadline: nil)
        return effects.append(.restoreHeld(vrank, epoch))
      }
      guard assignment.peer(of: source) != nil, isReachable(.peer(source)) else { continue }
      return pullState(index, from: source, next: nil, received: 0, at: now, into: &effects)
    }
    guard hasSlots, ranks[index].restoring?.hasTriedSlots == false else {
      return begin(index, with: nil, into: &effects)
    }
    let deadline = now + slotPatience(of: vrank)
    ranks[index].restoring?.hasTriedSlots = true
    ranks[index].restoring?.stage = .loading(deadline: deadline)
    effects.append(.restoreSlot(vrank, epoch))
  }

  private mutating func pullState(
    _ index: Int, from source: WorkerID, next: Int?, received: Int, at now: Duration,
    into effects: inout [Worker.Effect]
  ) {
    let (vrank, epoch) = ranks[index].identity
    let end = min(
      received + Limits.copyMessagesOutstanding, plan.messageCount(of: vrank))
    ranks[index].restoring?.stage = .pulling(
      source, next: next, received: received, asked: end, deadline: now + Limits.copyTimeout)
    effects.append(
      .pullState(
        StatePull(
          job: job, planTag: planTag, vrank: vrank, epoch: epoch, messages: received..<end),
        from: .peer(source)))
  }

  mutating func receive(
    _ answer: StateAnswer, from source: Worker.Source, at now: Duration,
    into effects: inout [Worker.Effect]
  ) {
    guard let index = rank(of: answer.vrank, answer.epoch),
      case .pulling(let asked, let next, let received, let end, _)? = ranks[index].restoring?.stage,
      source == .peer(asked)
    else { return }
    let isUsable =
      answer.status == .ok && (1...ranks[index].needed).contains(answer.next)
      && (next == nil || next == answer.next)
    guard isUsable else {
      ranks[index].restoring?.stage = .idle
      return
    }
    ranks[index].restoring?.stage = .pulling(
      asked, next: answer.next, received: received, asked: end, deadline: now + Limits.copyTimeout)
  }

  /// Whether a message of a copy is the next one of a state that is being pulled.
  package func takes(_ header: CopyHeader, from source: Worker.Source) -> Bool {
    guard header.job == job, header.planTag == planTag,
      let index = rank(of: header.vrank),
      case .pulling(let asked, let next?, let received, let end, _)? =
        ranks[index].restoring?.stage
    else { return false }
    return source == .peer(asked) && header.next == next && header.message == received
      && received < end
  }

  mutating func receive(
    _ header: CopyHeader, from source: Worker.Source, at now: Duration,
    into effects: inout [Worker.Effect]
  ) {
    guard takes(header, from: source), let index = rank(of: header.vrank),
      case .pulling(let asked, let next, let received, let end, _)? =
        ranks[index].restoring?.stage
    else { return }
    effects.append(.loadState(header))
    if received + 1 == plan.messageCount(of: header.vrank) {
      let restored = WorkerMessage.Restored(tier: .memory, next: header.next)
      // It is as good a copy as ever, if it is the holder's.
      return begin(index, with: restored, isHeld: ranks[index].holder == asked, into: &effects)
    }
    if received + 1 == end {
      return pullState(
        index, from: asked, next: next, received: received + 1, at: now, into: &effects)
    }
    ranks[index].restoring?.stage = .pulling(
      asked, next: next, received: received + 1, asked: end, deadline: now + Limits.copyTimeout)
  }

  /// The connection to a source broke, or a message of it is damaged: the next one is asked, and the
  /// last one again at the deadline.
  mutating func giveUpSource(_ source: Worker.Source, of index: Int) {
    guard let restoring = ranks[index].restoring,
      case .pulling(let asked, _, _, _, _) = restoring.stage, source == .peer(asked),
      !restoring.isLastChance
    else { return }
    ranks[index].restoring?.stage = .idle
  }

  /// A silent source is left for the next one; the last one is asked again, since to begin again costs
  /// more than to wait for a message that was lost, or for a process that was stopped.
  mutating func expireRestoring(at now: Duration, into effects: inout [Worker.Effect]) {
    for index in ranks.indices {
      guard let restoring = ranks[index].restoring,
        case .pulling(let asked, let next, let received, _, let deadline) = restoring.stage,
        now >= deadline
      else { continue }
      if restoring.isLastChance {
        ranks[index].restoring?.silences += 1
        pullState(index, from: asked, next: next, received: received, at: now, into: &effects)
      } else {
        ranks[index].restoring?.stage = .idle
      }
    }
  }

  /// The shell has read a state, or found none.
  mutating func loaded(
    _ vrank: VRank, _ epoch: Epoch, _ restored: WorkerMessage.Restored?,
    into effects: inout [Worker.Effect]
  ) {
    guard let index = rank(of: vrank, epoch), case .loading? = ranks[index].restoring?.stage else {
      return
    }
    guard restored != nil else {
      ranks[index].restoring?.stage = .idle
      return
    }
    begin(index, with: restored, into: &effects)
  }

  /// The rank goes on from what was found.
  private mutating func begin(
    _ index: Int, with found: WorkerMessage.Restored?, isHeld: Bool = false,
    into effects: inout [Worker.Effect]
  ) {
    let isUsable = found.map { (1...ranks[index].needed).contains($0.next) } ?? false
    let restored =
      isUsable ? found : WorkerMessage.Restored(tier: .recompute, next: 0)
    var next = restored?.next ?? 0
    ranks[index].restoring = nil
    ranks[index].restored = restored
    if defect == .foldNextPlusOne, next > 0, next < ranks[index].needed { next += 1 }
    if defect == .foldDuplicate, next > 0 { next -= 1 }
    ranks[index].next = next
    ranks[index].dispatched = next
    if isHeld { ranks[index].copies.copied = next }
    ranks[index].copies.lastSnapshot = next
    ranks[index].copies.lastDue = next
    ranks[index].copies.isDue = next > 0 && !isHeld
    effects.append(
      .observe(
        Observation(
          .restored, job: job, vrank: ranks[index].vrank,
          detail: "\(restored?.tier.name ?? ""), at K/V tile \(next) of \(ranks[index].needed)")))
    tellSoon()
  }
}
