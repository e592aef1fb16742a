/// The flash loop of the hosted ranks: packing, folding, finishing.
extension WorkerRun {
  mutating func handle(
    _ event: Worker.Event, at now: Duration, into effects: inout [Worker.Effect]
  ) {
    switch event {
    case .coordinator, .tick: break
    case .pull(let pull, let link): serve(pull, to: link, into: &effects)
    case .linkClosed(let link): waiters.removeAll { $0.link == link }
    case .answer(let answer, let job, let tile, let source) where job == self.job:
      receive(answer, about: tile, from: source, at: now, into: &effects)
    case .part(let job, let tile, let part, _) where job == self.job:
      receive(part, of: tile, at: now, into: &effects)
    case .badPart(let job, let tile, let source) where job == self.job:
      guard isKnown(tile), case .requested(let request) = self[tile], request.source == source
      else { return }
      askElsewhere(tile, request, because: "a damaged part came", at: now, into: &effects)
    case .sourceLost(let job, let source) where job == self.job:
      lose(source, at: now, into: &effects)
    case .folded(let job, let vrank, let next) where job == self.job:
      folded(vrank, next: next)
    case .finished(let job, let vrank) where job == self.job:
      rank(vrank) { $0.result?.isReady = true }
    case .receipt(let receipt) where receipt.job == self.job:
      receive(receipt, at: now, into: &effects)
    default: break  // Of a job that is no longer here.
    }
  }

  /// Whatever can be done now, after any event. What is asked for first is done first.
  mutating func proceed(at now: Duration, into effects: inout [Worker.Effect]) {
    unpackFolded(into: &effects)
    fetch(at: now, into: &effects)
    packWindows(into: &effects)
    fold(into: &effects)
    finishRanks(into: &effects)
    sendResults(at: now, into: &effects)
  }

  func rank(of vrank: VRank) -> Int? { ranks.firstIndex { $0.vrank == vrank } }

  private mutating func rank(_ vrank: VRank, _ change: (inout Rank) -> Void) {
    if let index = rank(of: vrank) { change(&ranks[index]) }
  }

  func isInWindow(_ tile: Int) -> Bool { ranks.contains { $0.window.contains(tile) } }

  private mutating func unpackFolded(into effects: inout [Worker.Effect]) {
    for tile in packed where !isInWindow(tile) { effects.append(.unpack(.keyValue(tile))) }
    packed = packed.filter { isInWindow($0) }
  }

  private mutating func packWindows(into effects: inout [Worker.Effect]) {
    for rank in ranks {
      for tile in rank.window where isResident(tile) && !packed.contains(tile) {
        guard packed.count < 3 * Limits.windowTiles || tile == rank.next else { break }
        packed.append(tile)
        effects.append(.pack(.keyValue(tile)))
      }
    }
  }

  /// Gives folds to the compute threads: the rank furthest behind first, so that ranks of one worker
  /// stay together and a tile that arrives is folded for all of them.
  private mutating func fold(into effects: inout [Worker.Effect]) {
    while foldsOutstanding < Limits.foldsOutstanding {
      let ready = ranks.indices.filter { readyTiles(ranks[$0]).isEmpty == false }
      guard let index = ready.min(by: { ranks[$0].dispatched < ranks[$1].dispatched }) else {
        return
      }
      let run = readyTiles(ranks[index])
      ranks[index].dispatched = run.upperBound
      foldsOutstanding += 1
      effects.append(.fold(ranks[index].vrank, tiles: run))
    }
  }

  private func readyTiles(_ rank: Rank) -> Range<Int> {
    let start = rank.dispatched
    guard rank.missingQueries == 0, start < rank.needed else { return start..<start }
    var end = start
    while end < rank.needed, end < start + Limits.tilesPerFold, packed.contains(end) { end += 1 }
    return start..<end
  }

  /// The state itself refuses anything but its next tiles.
  private mutating func folded(_ vrank: VRank, next: Int) {
    guard let index = rank(of: vrank), ranks[index].next < next, next <= ranks[index].dispatched
    else { return }
    foldsOutstanding -= 1
    ranks[index].next = next
    if next == ranks[index].needed { tellSoon() }
  }

  private mutating func finishRanks(into effects: inout [Worker.Effect]) {
    for index in ranks.indices where ranks[index].result == nil {
      guard ranks[index].next == ranks[index].needed, ranks[index].missingQueries == 0 else {
        continue
      }
      let tiles = plan.queryTiles(of: ranks[index].vrank).count
      ranks[index].result = ResultProgress(count: tiles * plan.resultPartCount)
      effects.append(.finish(ranks[index].vrank))
    }
  }
}
