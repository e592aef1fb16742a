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
      return pullState(index, from: source, nil, received: 0, at: now, into: &effects)
    }
    guard hasSlots, ranks[index].restoring?.hasTriedSlots == false else {
      return begin(index, with: nil, tiles: [], into: &effects)
    }
    let deadline = now + slotPatience(of: vrank)
    ranks[index].restoring?.hasTriedSlots = true
    ranks[index].restoring?.stage = .loading(deadline: deadline)
    effects.append(.restoreSlot(vrank, epoch))
  }

  private mutating func pullState(
    _ index: Int, from source: WorkerID, _ copy: (next: Int, count: Int)?, received: Int,
    at now: Duration, into effects: inout [Worker.Effect]
  ) {
    let (vrank, epoch) = ranks[index].identity
    let end = min(
      received + Limits.copyMessagesOutstanding, copy?.count ?? plan.messageCount(of: vrank))
    ranks[index].restoring?.stage = .pulling(
      source,
      HostedRank.Pulling(
        copy: copy, received: received, asked: end, deadline: now + Limits.copyTimeout))
    if received == 0 { ranks[index].restoring?.tiles = [] }
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
      case .pulling(let asked, var pulling)? = ranks[index].restoring?.stage,
      source == .peer(asked)
    else { return }
    let states = plan.messageCount(of: answer.vrank)
    let most = states + plan.publishedParts(of: ranks[index].steps)
    let isUsable =
      answer.status == .ok && (1...ranks[index].needed).contains(answer.next)
      && (states...most).contains(answer.count)
      && pulling.copy.map { $0 == (answer.next, answer.count) } ?? true
    guard isUsable else {
      ranks[index].restoring?.stage = .idle
      return
    }
    pulling.copy = (answer.next, answer.count)
    pulling.deadline = now + Limits.copyTimeout
    ranks[index].restoring?.stage = .pulling(asked, pulling)
  }

  /// Whether a message of a copy is the next one of a state that is being pulled.
  package func takes(_ header: CopyHeader, from source: Worker.Source) -> Bool {
    guard header.job == job, header.planTag == planTag, let index = rank(of: header.vrank),
      case .pulling(let asked, let pulling)? = ranks[index].restoring?.stage,
      let copy = pulling.copy
    else { return false }
    return source == .peer(asked) && header.next == copy.next && header.count == copy.count
      && header.message == pulling.received && pulling.received < pulling.asked
      && isPossible(header)
  }

  mutating func receive(
    _ header: CopyHeader, from source: Worker.Source, at now: Duration,
    into effects: inout [Worker.Effect]
  ) {
    guard takes(header, from: source), let index = rank(of: header.vrank),
      case .pulling(let asked, var pulling)? = ranks[index].restoring?.stage
    else { return }
    effects.append(.loadState(header))
    if let tile = header.tile, header.part == 0 { ranks[index].restoring?.tiles.append(tile) }
    if header.message + 1 == header.count {
      let restored = WorkerMessage.Restored(tier: .memory, next: header.next)
      // It is as good a copy as ever, if it is the holder's.
      return begin(
        index, with: restored, tiles: ranks[index].restoring?.tiles ?? [],
        isHeld: ranks[index].holder == asked, into: &effects)
    }
    if header.message + 1 == pulling.asked {
      return pullState(
        index, from: asked, pulling.copy, received: header.message + 1, at: now, into: &effects)
    }
    pulling.received += 1
    pulling.deadline = now + Limits.copyTimeout
    ranks[index].restoring?.stage = .pulling(asked, pulling)
  }

  /// The connection to a source broke, or a message of it is damaged: the next one is asked, and the
  /// last one again at the deadline.
  mutating func giveUpSource(_ source: Worker.Source, of index: Int) {
    guard let restoring = ranks[index].restoring,
      case .pulling(let asked, _) = restoring.stage, source == .peer(asked),
      !restoring.isLastChance
    else { return }
    ranks[index].restoring?.stage = .idle
  }

  /// A silent source is left for the next one; the last one is asked again, since to begin again costs
  /// more than to wait for a message that was lost, or for a process that was stopped.
  mutating func expireRestoring(at now: Duration, into effects: inout [Worker.Effect]) {
    for index in ranks.indices {
      guard let restoring = ranks[index].restoring,
        case .pulling(let asked, let pulling) = restoring.stage,
        now >= pulling.deadline
      else { continue }
      if restoring.isLastChance {
        ranks[index].restoring?.silences += 1
        pullState(
          index, from: asked, pulling.copy, received: pulling.received, at: now, into: &effects)
      } else {
        ranks[index].restoring?.stage = .idle
      }
    }
  }

  /// The shell has read a state, or found none.
  mutating func loaded(
    _ vrank: VRank, _ epoch: Epoch, _ restored: WorkerMessage.Restored?, _ tiles: [TileID],
    into effects: inout [Worker.Effect]
  ) {
    guard let index = rank(of: vrank, epoch), case .loading? = ranks[index].restoring?.stage else {
      return
    }
    guard restored != nil else {
      ranks[index].restoring?.stage = .idle
      return
    }
    begin(index, with: restored, tiles: tiles, into: &effects)
  }

  /// The rank goes on from what was found.
  private mutating func begin(
    _ index: Int, with found: WorkerMessage.Restored?, tiles: [TileID], isHeld: Bool = false,
    into effects: inout [Worker.Effect]
  ) {
    let isUsable =
      found.map {
        (1...ranks[index].needed).contains($0.next) && has(tiles, of: index, at: $0.next)
      }
      ?? false
    let restored =
      isUsable ? found : WorkerMessage.Restored(tier: .recompute, next: 0)
    var next = restored?.next ?? 0
    ranks[index].restoring = nil
    ranks[index].restored = restored
    if defect == .foldNextPlusOne, next > 0, next < ranks[index].needed { next += 1 }
    if defect == .foldDuplicate, next > 0 { next -= 1 }
    ranks[index].next = next
    ranks[index].dispatched = next
    restorePublished(tiles, of: index, into: &effects)
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

  /// Whether a copy has all that the rank published and that is kept, or this worker has it anyway: who would
  /// go on without could never give it to anybody.
  private func has(_ restored: [TileID], of index: Int, at next: Int) -> Bool {
    guard plan.publishes else { return true }
    let steps = ranks[index].steps
    return (0..<min(next, steps.endOfKept)).allSatisfy { step in
      guard let tile = steps.publishes(step), tile.tensor != .partial else { return true }
      return restored.contains(tile) || tiles.isResident(tile)
    }
  }

  /// What the rank published before it was restored: what came with its copy, and what was here anyway.
  private mutating func restorePublished(
    _ restored: [TileID], of index: Int, into effects: inout [Worker.Effect]
  ) {
    guard plan.publishes else { return }
    let here = tiles.here.filter { tiles.isResident($0) }
    for tile in restored + here where plan.owner(of: tile) == ranks[index].vrank {
      guard let step = ranks[index].steps.step(publishing: tile), step < ranks[index].next else {
        continue
      }
      own(tile, step: step, of: index, into: &effects)
    }
  }
}
