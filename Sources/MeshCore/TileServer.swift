/// Answers peers at once, and sends parts as they come: HAVE, COMING or NO of tiles of the inputs, for which
/// nobody waits until something is folded, and LATER of those that ranks compute.
struct TileServer: Sendable {
  private var waiters: [Waiter] = []

  /// A peer that was told COMING, or LATER.
  private struct Waiter: Sendable {
    let tile: TileID
    let link: Worker.Link
    /// What its credit covers.
    let parts: Range<Int>
  }

  /// Answers a pull for a tile that is here, is on its way, or will be asked for.
  mutating func serve(
    _ pull: Pull, to link: Worker.Link, _ cache: TileCache, _ view: JobView,
    into effects: inout Effects
  ) {
    let tile = pull.tile
    if cache.isResident(tile) {
      forget(link, tile)
      effects.append(.answer(.have, pull, to: link))
      send(credit(of: pull, view.plan), of: tile, to: link, into: &effects)
    } else if let request = cache.request(of: tile) {
      wait(pull, .coming, received: request.received, link, view.plan, into: &effects)
    } else if view.isOwn(tile), view.firstSteps[tile.index] < .max {
      // An owner that hasn't loaded it yet will, if any rank needs it.
      wait(pull, .coming, received: 0, link, view.plan, into: &effects)
    } else {
      effects.append(.answer(.no, pull, to: link))
    }
  }

  /// The parts that the credit of a pull covers.
  private func credit(of pull: Pull, _ plan: Plan) -> Range<Int> {
    // A peer may say anything; what is subtracted from must not overflow.
    var credit = max(0, pull.creditBytes)
    let (first, count) = (max(0, pull.firstPart), plan.partCount(pull.tile.tensor))
    var end = first
    while end < count {
      credit -= plan.payloadBytes(of: pull.tile, part: end)
      guard credit >= 0 else { break }
      end += 1
    }
    return first..<end
  }

  /// Tells a peer that parts will come, and sends those that are here.
  mutating func wait(
    _ pull: Pull, _ answer: PullAnswer, received: Int, _ link: Worker.Link, _ plan: Plan,
    into effects: inout Effects
  ) {
    let parts = credit(of: pull, plan)
    forget(link, pull.tile)
    guard waiters.count < Limits.workersMaximum * Limits.windowTiles else {
      return effects.append(.answer(.no, pull, to: link))
    }
    waiters.append(Waiter(tile: pull.tile, link: link, parts: parts))
    effects.append(.answer(answer, pull, to: link))
    send(parts.prefix(while: { $0 < received }), of: pull.tile, to: link, into: &effects)
  }

  private func send(
    _ parts: Range<Int>, of tile: TileID, to link: Worker.Link, into effects: inout Effects
  ) {
    for part in parts { effects.append(.serve(tile, part: part, to: link)) }
  }

  /// Passes a part on to whoever waits for it, before anything is folded.
  mutating func forward(_ part: Int, of tile: TileID, _ plan: Plan, into effects: inout Effects) {
    guard !waiters.isEmpty else { return }
    for waiter in waiters where waiter.tile == tile && waiter.parts.contains(part) {
      effects.append(.serve(tile, part: part, to: waiter.link))
    }
    if part + 1 == plan.partCount(tile.tensor) { waiters.removeAll { $0.tile == tile } }
  }

  /// Whether a peer was told that a tile will come.
  func isAwaited(_ tile: TileID) -> Bool { waiters.contains { $0.tile == tile } }

  // MARK: Who doesn't wait any more

  private mutating func forget(_ link: Worker.Link, _ tile: TileID) {
    waiters.removeAll { $0.link == link && $0.tile == tile }
  }

  mutating func forget(_ link: Worker.Link) { waiters.removeAll { $0.link == link } }

  /// Those who wait for what another computes now ask again.
  mutating func forget(where isElsewhere: (TileID) -> Bool) {
    waiters = waiters.filter { !isElsewhere($0.tile) }
  }
}
