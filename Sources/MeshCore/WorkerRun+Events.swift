/// What happens, told to the machine that it concerns.
extension WorkerRun {
  mutating func handle(_ event: JobEvent, at now: Duration, into effects: inout Effects) {
    switch event {
    case .pull(let pull, let link): serve(pull, to: link, into: &effects)
    case .answer(let answer, let tile, let source):
      receive(answer, about: tile, from: source, at: now, into: &effects)
    case .part(let tile, let part, _, let payload):
      receive(part, of: tile, payload, at: now, into: &effects)
    case .badPart(let tile, let source):
      guard cache.request(of: tile)?.source == source else { return }
      fetching.askElsewhere(
        tile, because: "a damaged part came", &cache, for: hosted, view, at: now, into: &effects)
    case .sourceLost(let source): lose(source, at: now, into: &effects)
    case .reach(let peer, let isReachable):
      reach(peer, isReachable, at: now, into: &effects)
    case .folded(let vrank, let epoch, let next, let cost):
      folded(vrank, epoch, next: next, cost: cost, into: &effects)
    case .replayed(let tile): replayed(tile, into: &effects)
    case .finished(let vrank, let epoch):
      if let index = hosted.index(of: vrank, epoch) { hosted[index].result?.ready() }
    case .receipt(let receipt): receive(receipt, at: now, into: &effects)
    case .passQuestion(let question, let link): receive(question, from: link)
    case .passAnswer(let answer, let source): receive(answer, from: source)
    default: handleCopies(event, at: now, into: &effects)
    }
  }

  private mutating func handleCopies(
    _ event: JobEvent, at now: Duration, into effects: inout Effects
  ) {
    switch event {
    case .snapshotTaken(let vrank, let epoch, let next, let cost):
      if let index = hosted.index(of: vrank, epoch) {
        copies.taken(
          of: index, next: next, cost: cost, &hosted, view, at: now, into: &effects)
      }
    case .copyReceipt(let receipt, let source):
      copies.receive(receipt, from: source, &hosted, at: now, into: &effects)
    case .persisted(let vrank, let epoch, let slot, let next, let cost):
      copies.persisted(
        vrank, epoch, slot: slot, next: next, cost: cost, &hosted, into: &effects)
    case .persistFailed(let vrank, let epoch, let reason):
      copies.persistFailed(vrank, epoch, reason: reason, &hosted, at: now, into: &effects)
    case .copy(let header, let link, let payload):
      held.receive(header, payload, from: link, &view, into: &effects)
    case .badCopy(let header, let link):
      effects.append(.receipt(header.receipt(.dataLoss), to: link))
    case .statePull(let pull, let link): held.serve(pull, to: link, &view, into: &effects)
    case .stateAnswer(let answer, let source):
      if let index = hosted.index(of: answer.vrank, answer.epoch) {
        hosted[index].restoring?.receive(answer, from: source, view.plan, at: now)
      }
    case .statePart(let header, let source, let payload):
      receive(header, payload, from: source, at: now, into: &effects)
    case .badStatePart(let header, let source):
      if takes(header, from: source), let index = hosted.index(of: header.vrank) {
        hosted[index].restoring?.giveUp(source)
      }
    case .restored(let vrank, let epoch, let state, let tiles):
      guard let index = hosted.index(of: vrank, epoch),
        let found = hosted[index].restoring?.loaded(state, tiles)
      else { return }
      begin(index, with: found, into: &effects)
    default: break  // Told above.
    }
  }

  /// A peer's connection to this worker is closed.
  mutating func close(_ link: Worker.Link) {
    server.forget(link)
    passes.forget(link)
  }

  mutating func lose(
    _ source: Worker.Source, at now: Duration, into effects: inout Effects
  ) {
    for index in hosted.indices { hosted[index].restoring?.giveUp(source) }
    copies.lose(source, &hosted, at: now, into: &effects)
    fetching.lose(source, &cache, for: hosted, view, at: now, into: &effects)
  }

  private mutating func reach(
    _ peer: WorkerID, _ isReachable: Bool, at now: Duration, into effects: inout Effects
  ) {
    guard view.reach(peer, isReachable) else { return }
    effects.tellSoon()
    for index in hosted.indices where hosted[index].copies.holder == peer {
      hosted[index].copies.reach(isReachable, dispatched: hosted[index].dispatched)
    }
    if !isReachable { lose(.peer(peer), at: now, into: &effects) }
  }
}
