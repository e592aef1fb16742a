/// Copies of others' ranks in this worker's memory: the last one of each that arrived whole is kept until a
/// newer one is.
struct HeldCopies: Sendable {
  /// Sorted by virtual rank.
  private var ranks: [HeldRank] = []

  private struct HeldRank: Sendable {
    let vrank: VRank
    var whole: Generation?
    var partial: Partial?
  }

  private struct Generation: Sendable {
    let epoch: Epoch
    let next: Int
    /// What the rank published, in the order of steps.
    var tiles: [TileID] = []
  }

  /// A copy of which messages `first ..< received` are here.
  private struct Partial: Sendable {
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

  /// Those that are whole.
  var list: [WorkerMessage.HeldCopy] {
    ranks.compactMap { rank in
      rank.whole.map {
        WorkerMessage.HeldCopy(vrank: rank.vrank, epoch: $0.epoch, next: $0.next)
      }
    }
  }

  func hasWhole(_ vrank: VRank) -> Bool {
    ranks.contains { $0.vrank == vrank && $0.whole != nil }
  }

  // MARK: Who wants them

  /// Whether the table wants copies of a rank in this worker's memory.
  private func isHolder(of vrank: VRank, _ view: JobView) -> Bool {
    let (table, host) = (view.assignment, view.host(of: vrank))
    guard host.duty != .serve else { return false }
    return table.worker(host.holder) == view.worker
      || host.sources.contains { table.worker($0) == view.worker }
  }

  /// The table of hosts changed.
  mutating func dropUnwanted(_ view: JobView, into effects: inout Effects) {
    let unwanted = ranks.map(\.vrank).filter { !isHolder(of: $0, view) }
    for vrank in unwanted { effects.append(.dropCopy(vrank)) }
    ranks.removeAll { unwanted.contains($0.vrank) }
  }

  private func admits(_ epoch: Epoch, for vrank: VRank, _ view: inout JobView) -> Bool {
    view.defect == .skipEpochCheckAtPeerStore || view.admits(epoch, for: vrank)
  }

  // MARK: From hosts

  /// Takes a message of a copy, or says why not.
  mutating func receive(
    _ header: CopyHeader, _ payload: Payload, from link: Worker.Link, _ view: inout JobView,
    into effects: inout Effects
  ) {
    guard header.planTag == view.planTag, view.isKnown(header.vrank), view.plan.isPossible(header)
    else { return effects.append(.receipt(header.receipt(.outOfRange), to: link)) }
    guard admits(header.epoch, for: header.vrank, &view) else {
      effects.observe(.staleRefused, vrank: header.vrank, "a copy")
      return effects.append(.receipt(header.receipt(.failedPrecondition), to: link))
    }
    guard isHolder(of: header.vrank, view) else {
      return effects.append(.receipt(header.receipt(.unavailable), to: link))
    }
    let index = place(of: header.vrank)
    if let receipt = keep(header, payload, at: index, view, into: &effects) {
      effects.append(.receipt(receipt, to: link))
    }
  }

  private mutating func place(of vrank: VRank) -> Int {
    if let known = ranks.firstIndex(where: { $0.vrank == vrank }) { return known }
    let place = ranks.firstIndex { vrank < $0.vrank } ?? ranks.endIndex
    ranks.insert(HeldRank(vrank: vrank), at: place)
    return place
  }

  /// - Returns: what to answer; nil for a gap, which the sender fills when nothing comes, and for
  ///   messages that a later receipt acknowledges.
  private mutating func keep(
    _ header: CopyHeader, _ payload: Payload, at index: Int, _ view: JobView,
    into effects: inout Effects
  ) -> CopyReceipt? {
    if let whole = ranks[index].whole, whole.epoch == header.epoch, whole.next >= header.next {
      return header.receipt(.ok)  // Again, after its receipt was lost.
    }
    if ranks[index].partial?.isOf(header) != true {
      switch begin(header, at: index, view.plan, into: &effects) {
      case .begun: break
      case .passedOver: return nil
      case .withoutBase: return header.receipt(.notFound)
      }
    }
    guard var partial = ranks[index].partial, header.message <= partial.received else { return nil }
    guard header.message == partial.received else { return header.receipt(.ok) }
    effects.append(.keepCopy(header, payload))
    partial.received += 1
    if let tile = header.tile, header.part == 0 { partial.tiles.append(tile) }
    ranks[index].partial = partial
    guard partial.received == partial.count else {
      if view.defect == .acknowledgeCopyEarly, partial.received == partial.count - 1 {
        var last = header
        last.message = partial.count - 1
        return last.receipt(.ok)
      }
      let isDue = (partial.received - partial.first) % view.plan.copyMessagesPerReceipt == 0
      return isDue ? header.receipt(.ok) : nil
    }
    let kept = ranks[index].whole.map { stillNeeded($0.tiles, header, view.plan) } ?? []
    let tiles = kept + partial.tiles
    ranks[index].whole = Generation(epoch: partial.epoch, next: partial.next, tiles: tiles)
    ranks[index].partial = nil
    effects.append(.completeCopy(header.vrank, first: partial.first, tiles: tiles))
    effects.tellSoon()
    return header.receipt(.ok)
  }

  /// What became of a message that belongs to no copy that has begun.
  private enum Beginning { case begun, passedOver, withoutBase }

  /// Begins the copy to which a message belongs, in place of another one.
  private mutating func begin(
    _ header: CopyHeader, at index: Int, _ plan: Plan, into effects: inout Effects
  ) -> Beginning {
    let partial = ranks[index].partial
    if let partial, partial.epoch == header.epoch, partial.next > header.next {
      return .passedOver
    }
    guard header.message == header.first else { return .passedOver }
    guard hasBase(of: header, ranks[index].whole, plan) else {
      effects.observe(.copyRefused, vrank: header.vrank, "what it builds upon isn't here")
      return .withoutBase
    }
    if partial != nil { effects.append(.dropPartialCopy(header.vrank)) }
    ranks[index].partial = Partial(
      epoch: header.epoch, next: header.next, first: header.first, base: header.base,
      count: header.count, received: header.first)
    return .begun
  }

  /// Of the tiles of the copy before those that the next one builds upon.
  private func stillNeeded(
    _ tiles: [TileID], _ header: CopyHeader, _ plan: Plan
  ) -> [TileID] {
    let steps = plan.steps(of: header.vrank)
    return tiles.filter { tile in
      guard let step = steps.step(publishing: tile), step < header.base else { return false }
      return tile.tensor != .partial || step >= header.released
    }
  }

  /// Whether the messages before the first of a new copy are here as they are in it, and the tiles that
  /// were published before it.
  private func hasBase(of header: CopyHeader, _ whole: Generation?, _ plan: Plan) -> Bool {
    if plan.publishes, header.base > 0, whole?.next != header.base { return false }
    guard header.first > 0 else { return true }
    guard let whole else { return false }
    let (tile, _) = plan.stateMessage(of: header.vrank, header.first - 1)
    return plan.isCurrent(queryTile: tile, madeAt: whole.next, in: header.next)
  }

  // MARK: To new hosts

  /// Gives a new host what is kept of its rank.
  func serve(
    _ pull: StatePull, to link: Worker.Link, _ view: inout JobView, into effects: inout Effects
  ) {
    guard pull.planTag == view.planTag, view.isKnown(pull.vrank) else {
      return effects.append(.stateAnswer(pull.answer(next: 0, .notFound), to: link))
    }
    guard admits(pull.epoch, for: pull.vrank, &view) else {
      effects.observe(.staleRefused, vrank: pull.vrank, "a state pull")
      return effects.append(.stateAnswer(pull.answer(next: 0, .failedPrecondition), to: link))
    }
    guard let whole = ranks.first(where: { $0.vrank == pull.vrank })?.whole else {
      return effects.append(.stateAnswer(pull.answer(next: 0, .notFound), to: link))
    }
    let states = view.plan.messageCount(of: pull.vrank)
    let parts = view.plan.parts(of: whole.tiles)
    let count = states + parts.count
    effects.append(.stateAnswer(pull.answer(next: whole.next, count: count, .ok), to: link))
    let credit = pull.messages.clamped(to: 0..<count).prefix(Limits.copyMessagesOutstanding)
    for message in credit {
      let part = message < states ? nil : parts[message - states]
      effects.append(
        .serveCopy(
          CopyHeader(
            job: view.job, planTag: view.planTag, vrank: pull.vrank, epoch: pull.epoch,
            next: whole.next, first: 0, message: message, count: count, tile: part?.tile,
            part: part?.part ?? 0),
          to: link))
    }
  }
}
