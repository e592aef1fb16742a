/// Travelling accumulators that their producers have let go, computed here once more: each of the tiles that
/// its step reads, which may be gone as well, and of nothing else but rows of the rank.
struct Replays: Sendable {
  private(set) var list: [Replay] = []

  struct Replay: Sendable {
    let tile: TileID
    let reads: AtMostTwo<TileID>
    /// Of the step: before whatever waits for the tile.
    let order: StepOrder
    var isUnderWay = false
  }

  func contains(_ tile: TileID) -> Bool { list.contains { $0.tile == tile } }

  /// Whether one of them is a step of this rank.
  func has(stepsOf vrank: VRank, _ plan: Plan) -> Bool {
    list.contains { plan.owner(of: $0.tile) == vrank }
  }

  /// Whether one of them reads a tile.
  func read(_ tile: TileID) -> Bool { list.contains { $0.reads.contains(tile) } }

  /// - Precondition: there is room for the tile.
  mutating func add(_ tile: TileID, _ plan: Plan, into effects: inout Effects) {
    let steps = plan.steps(of: plan.owner(of: tile))
    guard let step = steps.step(publishing: tile) else { return }
    list.append(Replay(tile: tile, reads: steps.reads(step), order: steps.order(step)))
    effects.observe(.sourceChanged, "\(tile): it was passed on; computing it once more")
  }

  /// One that hasn't begun is not needed any more.
  mutating func cancel(_ tile: TileID) {
    if list.contains(where: { $0.tile == tile && !$0.isUnderWay }) {
      list.removeAll { $0.tile == tile && !$0.isUnderWay }
    }
  }

  /// Those that haven't begun.
  var waiting: [TileID] { list.filter { !$0.isUnderWay }.map(\.tile) }

  /// Gives to the compute threads what can be made now.
  mutating func begin(
    into effects: inout Effects, isPacked: (TileID) -> Bool, hasRows: (TileID) -> Bool
  ) {
    for index in list.indices where !list[index].isUnderWay {
      guard list[index].reads.allSatisfy(isPacked), hasRows(list[index].tile) else { continue }
      list[index].isUnderWay = true
      effects.append(.replay(list[index].tile))
    }
  }

  /// - Returns: whether it was under way.
  mutating func end(_ tile: TileID) -> Bool {
    guard let place = list.firstIndex(where: { $0.tile == tile && $0.isUnderWay }) else {
      return false
    }
    list.remove(at: place)
    return true
  }
}
