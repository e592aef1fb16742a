/// A rank of another host whose copies are kept in this worker's memory.
struct HeldRank: Sendable {
  let vrank: VRank
  /// The last copy that arrived whole: kept until a newer one is.
  var whole: Generation?
  var partial: Partial?

  struct Generation: Sendable {
    let epoch: Epoch
    let next: Int
    /// What the rank published, in the order of steps.
    var tiles: [TileID] = []
  }

  /// A copy of which messages `first ..< received` are here.
  struct Partial: Sendable {
    let epoch: Epoch
    let next: Int
    let first: Int
    let base: Int
    let count: Int
    var received: Int
    var tiles: [TileID] = []

    /// Whether a message belongs to it: of the same steps there may be another, which builds upon less.
    func isOf(_ header: CopyHeader) -> Bool {
      (epoch, next, base, count) == (header.epoch, header.next, header.base, header.count)
    }
  }
}

extension WorkerRun {
  package var heldCopies: [WorkerMessage.HeldCopy] {
    held.compactMap { rank in
      rank.whole.map {
        WorkerMessage.HeldCopy(vrank: rank.vrank, epoch: $0.epoch, next: $0.next)
      }
    }
  }

  /// Whether the table wants copies of a rank in this worker's memory.
  private func isHolder(of vrank: VRank) -> Bool {
    let host = assignment.hosts[vrank.index]
    guard host.duty != .serve else { return false }
    return assignment.worker(host.holder) == worker
      || host.sources.contains { assignment.worker($0) == worker }
  }

  mutating func dropUnwantedCopies(into effects: inout [Worker.Effect]) {
    let unwanted = held.map(\.vrank).filter { !isHolder(of: $0) }
    for vrank in unwanted { effects.append(.dropCopy(vrank)) }
    held.removeAll { unwanted.contains($0.vrank) }
  }

  /// Takes a message of a copy, or says why not.
  mutating func receive(
    _ header: CopyHeader, from link: Worker.Link, into effects: inout [Worker.Effect]
  ) {
    guard header.job == job, header.planTag == planTag,
      epochs.indices.contains(header.vrank.index),
      isPossible(header)
    else { return effects.append(.receipt(header.receipt(.outOfRange), to: link)) }
    guard admits(header.epoch, for: header.vrank) else {
      effects.append(
        .observe(Observation(.staleRefused, job: job, vrank: header.vrank, detail: "a copy")))
      return effects.append(.receipt(header.receipt(.failedPrecondition), to: link))
    }
    guard isHolder(of: header.vrank) else {
      return effects.append(.receipt(header.receipt(.unavailable), to: link))
    }
    let index = heldIndex(of: header.vrank)
    if let receipt = keep(header, at: index, into: &effects) {
      effects.append(.receipt(receipt, to: link))
    }
  }

  /// Whether there could be such a message: of the state, or of a tile that the rank published by then.
  func isPossible(_ header: CopyHeader) -> Bool {
    let (states, steps) = (plan.messageCount(of: header.vrank), plan.steps(of: header.vrank))
    guard (0..<states).contains(header.first),
      header.first <= header.message,
      header.message < header.count,
      (states...states + plan.publishedParts(of: steps)).contains(header.count),
      (1...max(1, steps.count)).contains(header.next)
    else { return false }
    guard let tile = header.tile else { return header.message < states }
    return header.message >= states && (0..<plan.partCount(tile.tensor)).contains(header.part)
      && steps.step(publishing: tile).map { $0 < header.next } == true
  }

  /// The highest epoch seen of a rank is remembered, and lower ones are refused.
  mutating func admits(_ epoch: Epoch, for vrank: VRank) -> Bool {
    if defect == .skipEpochCheckAtPeerStore { return true }
    guard epoch >= epochs[vrank.index] else { return false }
    epochs[vrank.index] = epoch
    return true
  }

  private mutating func heldIndex(of vrank: VRank) -> Int {
    if let known = held.firstIndex(where: { $0.vrank == vrank }) { return known }
    let place = held.firstIndex { vrank < $0.vrank } ?? held.endIndex
    held.insert(HeldRank(vrank: vrank), at: place)
    return place
  }

  /// - Returns: what to answer; nil for a gap, which the sender fills when nothing comes, and for
  ///   messages that a later receipt acknowledges.
  private mutating func keep(
    _ header: CopyHeader, at index: Int, into effects: inout [Worker.Effect]
  ) -> CopyReceipt? {
    if let whole = held[index].whole, whole.epoch == header.epoch, whole.next >= header.next {
      return header.receipt(.ok)  // Again, after its receipt was lost.
    }
    var partial = held[index].partial
    if partial?.isOf(header) != true {
      if let partial, partial.epoch == header.epoch, partial.next > header.next { return nil }
      guard header.message == header.first else { return nil }
      guard hasBase(of: header, held[index].whole) else {
        effects.append(
          .observe(
            Observation(
              .copyRefused, job: job, vrank: header.vrank, detail: "what it builds upon isn't here"
            )))
        return header.receipt(.notFound)
      }
      if partial != nil { effects.append(.dropPartialCopy(header.vrank)) }
      partial = HeldRank.Partial(
        epoch: header.epoch, next: header.next, first: header.first, base: header.base,
        count: header.count,
        received: header.first)
    }
    guard var partial, header.message <= partial.received else { return nil }
    guard header.message == partial.received else { return header.receipt(.ok) }
    effects.append(.keepCopy(header))
    partial.received += 1
    if let tile = header.tile, header.part == 0 { partial.tiles.append(tile) }
    held[index].partial = partial
    let count = partial.count
    guard partial.received == count else {
      if defect == .acknowledgeCopyEarly, partial.received == count - 1 {
        var last = header
        last.message = count - 1
        return last.receipt(.ok)
      }
      let isDue = (partial.received - partial.first) % plan.copyMessagesPerReceipt == 0
      return isDue ? header.receipt(.ok) : nil
    }
    let kept = held[index].whole.map { stillNeeded($0.tiles, header) } ?? []
    held[index].whole = HeldRank.Generation(
      epoch: partial.epoch, next: partial.next, tiles: kept + partial.tiles)
    held[index].partial = nil
    effects.append(
      .completeCopy(header.vrank, first: partial.first, tiles: kept + partial.tiles))
    tellSoon()
    return header.receipt(.ok)
  }

  /// Of the tiles of the copy before those that the next one builds upon.
  private func stillNeeded(_ tiles: [TileID], _ header: CopyHeader) -> [TileID] {
    let steps = plan.steps(of: header.vrank)
    return tiles.filter { tile in
      guard let step = steps.step(publishing: tile), step < header.base else { return false }
      return tile.tensor != .partial || step >= header.released
    }
  }

  /// Whether the messages before the first of a new copy are here as they are in it, and the tiles that
  /// were published before it.
  private func hasBase(of header: CopyHeader, _ whole: HeldRank.Generation?) -> Bool {
    if plan.publishes, header.base > 0, whole?.next != header.base { return false }
    guard header.first > 0 else { return true }
    guard let whole else { return false }
    let (tile, _) = plan.resultMessage(of: header.vrank, header.first - 1)
    return plan.isCurrent(queryTile: tile, madeAt: whole.next, in: header.next)
  }

  /// Gives a new host what is kept of its rank.
  mutating func serve(
    _ pull: StatePull, to link: Worker.Link, into effects: inout [Worker.Effect]
  ) {
    guard pull.job == job, pull.planTag == planTag, epochs.indices.contains(pull.vrank.index) else {
      return effects.append(.stateAnswer(pull.answer(next: 0, .notFound), to: link))
    }
    guard admits(pull.epoch, for: pull.vrank) else {
      effects.append(
        .observe(Observation(.staleRefused, job: job, vrank: pull.vrank, detail: "a state pull")))
      return effects.append(.stateAnswer(pull.answer(next: 0, .failedPrecondition), to: link))
    }
    guard let whole = held.first(where: { $0.vrank == pull.vrank })?.whole else {
      return effects.append(.stateAnswer(pull.answer(next: 0, .notFound), to: link))
    }
    let states = plan.messageCount(of: pull.vrank)
    let parts = plan.parts(of: whole.tiles)
    let count = states + parts.count
    effects.append(.stateAnswer(pull.answer(next: whole.next, count: count, .ok), to: link))
    let credit = pull.messages.clamped(to: 0..<count).prefix(Limits.copyMessagesOutstanding)
    for message in credit {
      effects.append(
        .serveCopy(
          CopyHeader(
            job: job, planTag: planTag, vrank: pull.vrank, epoch: pull.epoch, next: whole.next,
            first: 0, message: message, count: count,
            tile: message < states ? nil : parts[message - states].tile,
            part: message < states ? 0 : parts[message - states].part),
          to: link))
    }
  }
}
