/// Steps of hosted ranks, from the first to the result.
extension WorkerRun {
  mutating func folded(
    _ vrank: VRank, _ epoch: Epoch, next: Int, cost: Duration, into effects: inout Effects
  ) {
    guard let (index, steps) = hosted.folded(vrank, epoch, next: next, cost: cost) else {
      return
    }
    publish(steps, of: index, into: &effects)
    if next == hosted[index].needed { effects.tellSoon() }
  }

  mutating func finishRanks(into effects: inout Effects) {
    for index in hosted.indices where hosted[index].hasFolded && isPassed(hosted[index]) {
      hosted[index].result = ResultDelivery(of: hosted[index], plan)
      effects.append(.finish(hosted[index].vrank, hosted[index].epoch))
    }
  }

  // MARK: Results

  mutating func sendResults(at now: Duration, into effects: inout Effects) {
    for index in hosted.indices {
      hosted[index].result?.send(&credit, at: now, into: &effects)
    }
  }

  mutating func receive(
    _ receipt: ResultReceipt, at now: Duration, into effects: inout Effects
  ) {
    guard let index = hosted.index(of: receipt.vrank) else { return }
    let step = hosted[index].next
    let isFinal = hosted[index].result?.receive(
      receipt, &credit, at: now, step: step, into: &effects)
    guard isFinal == true else { return }
    effects.append(.retire(receipt.vrank, receipt.epoch))
    // What was kept to be handed in.
    for tile in hosted[index].steps.kept { cache.drop(tile, into: &effects) }
    if view.defect == .freeShardEarly {
      for tile in plan.keyTiles(of: receipt.vrank).map(TileID.keyValue)
      where cache.isDroppable(tile, for: hosted) {
        cache.drop(tile, into: &effects)
      }
    }
    copies.end(receipt.vrank, into: &effects)
  }

  // MARK: State to go on from

  mutating func seekStates(at now: Duration, into effects: inout Effects) {
    for index in hosted.indices where hosted[index].restoring != nil {
      let isHeld = held.hasWhole(hosted[index].vrank)
      if let found = hosted[index].restoring?.proceed(
        view, isHeld: isHeld, at: now, into: &effects)
      {
        begin(index, with: found, into: &effects)
      }
    }
  }

  mutating func receive(
    _ header: CopyHeader, _ payload: Payload, from source: Worker.Source, at now: Duration,
    into effects: inout Effects
  ) {
    guard takes(header, from: source), let index = hosted.index(of: header.vrank),
      let found = hosted[index].restoring?.receive(
        header, payload, from: source, view, at: now, into: &effects)
    else { return }
    begin(index, with: found, into: &effects)
  }

  /// The rank goes on from what was found.
  mutating func begin(
    _ index: Int, with found: StateSearch.Found, into effects: inout Effects
  ) {
    let usable = found.state.flatMap { state in
      (1...hosted[index].needed).contains(state.next)
        && has(found.tiles, of: index, at: state.next) ? state : nil
    }
    let state = usable ?? WorkerMessage.Restored(tier: .recompute, next: 0)
    // It is as good a copy as ever, if it is the holder's.
    let isHeld = found.source != nil && found.source == hosted[index].copies.holder
    var next = state.next
    if view.defect == .foldNextPlusOne, next > 0, next < hosted[index].needed { next += 1 }
    if view.defect == .foldDuplicate, next > 0 { next -= 1 }
    hosted[index].begin(at: next, with: state, isHeld: isHeld)
    restorePublished(found.tiles, of: index, into: &effects)
    effects.observe(
      .restored, vrank: hosted[index].vrank,
      "\(state.tier.name), at K/V tile \(next) of \(hosted[index].needed)")
    effects.tellSoon()
  }
}
