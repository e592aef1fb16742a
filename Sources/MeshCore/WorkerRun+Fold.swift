internal import AttentionMasks

/// The flash loop of the hosted ranks: packing, folding, finishing.
extension WorkerRun {
  mutating func handle(
    _ event: Worker.Event, at now: Duration, into effects: inout [Worker.Effect]
  ) {
    switch event {
    case .coordinator, .tick: break
    case .pull(let pull, let link): serve(pull, to: link, into: &effects)
    case .linkClosed(let link):
      waiters.removeAll { $0.link == link }
      passWaiters.removeAll { $0.link == link }
    case .answer(let answer, let job, let tile, let source) where job == self.job:
      receive(answer, about: tile, from: source, at: now, into: &effects)
    case .part(let job, let tile, let part, _) where job == self.job:
      receive(part, of: tile, at: now, into: &effects)
    case .badPart(let job, let tile, let source) where job == self.job:
      guard tiles.isKnown(tile), case .requested(let request) = tiles[tile],
        request.source == source
      else { return }
      askElsewhere(tile, request, because: "a damaged part came", at: now, into: &effects)
    case .sourceLost(let job, let source) where job == self.job:
      lose(source, at: now, into: &effects)
    case .reach(let job, let peer, let isReachable) where job == self.job:
      reach(peer, isReachable, at: now, into: &effects)
    case .folded(let job, let vrank, let epoch, let next, let cost) where job == self.job:
      folded(vrank, epoch, next: next, cost: cost, into: &effects)
    case .finished(let job, let vrank, let epoch) where job == self.job:
      if let index = rank(of: vrank, epoch) { ranks[index].result?.isReady = true }
    case .receipt(let receipt) where receipt.job == self.job:
      receive(receipt, at: now, into: &effects)
    case .replayed(let job, let tile) where job == self.job: replayed(tile, into: &effects)
    case .passQuestion(let question, let link): receive(question, from: link)
    case .passAnswer(let answer, let source) where answer.job == self.job:
      receive(answer, from: source)
    default: handleCopies(event, at: now, into: &effects)
    }
  }

  private mutating func handleCopies(
    _ event: Worker.Event, at now: Duration, into effects: inout [Worker.Effect]
  ) {
    switch event {
    case .snapshotTaken(let job, let vrank, let epoch, let next, let cost) where job == self.job:
      snapshotTaken(vrank, epoch, next: next, cost: cost, at: now, into: &effects)
    case .copyReceipt(let receipt, let source) where receipt.job == job:
      receive(receipt, from: source, at: now, into: &effects)
    case .persisted(let job, let vrank, let epoch, let slot, let next, let cost)
    where job == self.job:
      persisted(vrank, epoch, slot: slot, next: next, cost: cost, into: &effects)
    case .persistFailed(let job, let vrank, let epoch, let reason) where job == self.job:
      persistFailed(vrank, epoch, reason: reason, at: now, into: &effects)
    case .copy(let header, let link): receive(header, from: link, into: &effects)
    case .badCopy(let header, let link):
      effects.append(.receipt(header.receipt(.dataLoss), to: link))
    case .statePull(let pull, let link): serve(pull, to: link, into: &effects)
    case .stateAnswer(let answer, let source) where answer.job == job:
      receive(answer, from: source, at: now, into: &effects)
    case .statePart(let header, let source) where header.job == job:
      receive(header, from: source, at: now, into: &effects)
    case .badStatePart(let header, let source) where header.job == job:
      if takes(header, from: source), let index = rank(of: header.vrank) {
        giveUpSource(source, of: index)
      }
    case .restored(let job, let vrank, let epoch, let restored, let tiles) where job == self.job:
      loaded(vrank, epoch, restored, tiles, into: &effects)
    default: break  // Of a job that is no longer here.
    }
  }

  /// Whatever can be done now, after any event. What is asked for first is done first.
  mutating func proceed(at now: Duration, into effects: inout [Worker.Effect]) {
    seekStates(at: now, into: &effects)
    endRevivals(into: &effects)
    unpackFolded(into: &effects)
    fetch(at: now, into: &effects)
    packWindows(into: &effects)
    fold(into: &effects)
    replayReady(into: &effects)
    passOn(at: now, into: &effects)
    copyStates(at: now, into: &effects)
    finishRanks(into: &effects)
    sendResults(at: now, into: &effects)
  }

  /// Whether some rank wants a tile packed, or the compute threads are at it for one that is gone.
  func isInWindow(_ tile: TileID) -> Bool {
    ranks.contains { $0.hasInWindow(tile) }
      || folds.contains { $0.all.read(tile, in: $0.steps) }
      || replays.contains { $0.reads.contains(tile) }
  }

  private mutating func unpackFolded(into effects: inout [Worker.Effect]) {
    for tile in packed where !isInWindow(tile) { effects.append(.unpack(tile)) }
    packed = packed.filter { isInWindow($0) }
  }

  private mutating func packWindows(into effects: inout [Worker.Effect]) {
    let behind = tilesBehind
    func pack(_ reads: AtMostTwo<TileID>) {
      for tile in reads where tiles.isResident(tile) && !packed.contains(tile) {
        guard packed.count < window.kept || behind.contains(tile) else { continue }
        packed.append(tile)
        effects.append(.pack(tile))
      }
    }
    for rank in ranks {
      for step in rank.window { pack(rank.steps.reads(step)) }
    }
    for replay in replays { pack(replay.reads) }
  }

  /// Gives folds to the compute threads: the rank furthest behind first, so that ranks of one worker
  /// stay together and a tile that arrives is folded for all of them.
  private mutating func fold(into effects: inout [Worker.Effect]) {
    while folds.count < Limits.foldsOutstanding {
      let ready = ranks.filter { !readySteps($0).isEmpty }
      guard
        let first = ready.min(by: { order($0, $0.dispatched) < order($1, $1.dispatched) }
        ),
        let index = rank(of: first.vrank)
      else { return }
      let run = readySteps(first)
      let (vrank, epoch) = ranks[index].identity
      ranks[index].dispatched = run.upperBound
      folds.append(OutstandingFold(vrank: vrank, epoch: epoch, steps: run, all: first.steps))
      effects.append(.fold(vrank, epoch, steps: run))
    }
  }

  /// Where a step of a rank stands: of two ranks the one whose step comes first in the order of all is
  /// further behind.
  func order(_ rank: HostedRank, _ step: Int) -> StepOrder {
    guard defect != .orderByTile else {
      return StepOrder(phase: 0, place: rank.steps.tile(step), turn: 0)
    }
    return rank.steps.order(step)
  }

  private func readySteps(_ rank: HostedRank) -> Range<Int> {
    let start = rank.dispatched
    guard rank.goesOn, rank.missingQueries == 0, start < rank.needed else {
      return start..<start
    }
    var end = start
    var room = outboxRoom(of: rank)
    let most = min(rank.needed, start + Limits.tilesPerFold, copyBoundary(of: rank))
    while end < most, rank.steps.reads(end).allSatisfy({ packed.contains($0) }) {
      if plan.publishes, rank.steps.publishes(end)?.tensor == .partial {
        guard room > 0 else { break }
        room -= 1
      }
      end += 1
    }
    return start..<end
  }

  /// Folds don't go beyond the step at which the next copy is due, or copies would be rarer.
  private func copyBoundary(of rank: HostedRank) -> Int {
    let due = rank.copies.lastDue + rank.pace.interval(needed: rank.needed)
    return assignment.isProtected && due > rank.dispatched ? due : rank.needed
  }

  /// The state itself refuses anything but its next tiles.
  private mutating func folded(
    _ vrank: VRank, _ epoch: Epoch, next: Int, cost: Duration, into effects: inout [Worker.Effect]
  ) {
    guard
      let place = folds.firstIndex(where: {
        $0.vrank == vrank && $0.epoch == epoch && $0.steps.upperBound == next
      })
    else { return }
    let fold = folds.remove(at: place)
    guard let index = rank(of: vrank, epoch), ranks[index].next == fold.steps.lowerBound else {
      return
    }
    ranks[index].next = next
    ranks[index].pace.folded(fold.steps.count, cost)
    publish(fold.steps, of: index, into: &effects)
    if next == ranks[index].needed { tellSoon() }
  }

  private mutating func finishRanks(into effects: inout [Worker.Effect]) {
    for index in ranks.indices where ranks[index].result == nil {
      guard ranks[index].isFolding, !ranks[index].isRevived,
        ranks[index].next == ranks[index].needed, ranks[index].missingQueries == 0,
        isPassed(ranks[index])
      else { continue }
      let (vrank, epoch) = ranks[index].identity
      ranks[index].result = HostedRank.ResultProgress(count: plan.messageCount(of: vrank))
      effects.append(.finish(vrank, epoch))
    }
  }
}
