internal import AttentionMasks

/// The ranks that a worker hosts, sorted by virtual rank, what the compute threads do for them, and which
/// tiles that takes.
struct HostedRanks: Sendable {
  private(set) var list: [HostedRank] = []
  /// What is computed once more.
  var replays = Replays()
  private var folds: [OutstandingFold] = []
  private let defect: Defect?

  init(defect: Defect?) { self.defect = defect }

  /// A fold given to the compute threads and not yet reported.
  private struct OutstandingFold: Sendable {
    let vrank: VRank
    let epoch: Epoch
    let steps: Range<Int>
    /// All of the rank, which may be gone.
    let all: RankSteps
  }

  var indices: Range<Int> { list.indices }

  subscript(index: Int) -> HostedRank {
    _read { yield list[index] }
    _modify { yield &list[index] }
  }

  func index(of vrank: VRank) -> Int? { list.firstIndex { $0.vrank == vrank } }

  /// The rank if it is hosted under this very epoch.
  func index(of vrank: VRank, _ epoch: Epoch) -> Int? {
    list.firstIndex { $0.vrank == vrank && $0.epoch == epoch }
  }

  mutating func add(_ rank: HostedRank) {
    list.insert(rank, at: list.firstIndex { rank.vrank < $0.vrank } ?? list.endIndex)
  }

  mutating func remove(_ vrank: VRank) { list.removeAll { $0.vrank == vrank } }

  // MARK: What they need

  /// Tiles that steps read which are soon to be done, in the order of ranks and steps.
  var windowTiles: [TileID] {
    var found: [TileID] = []
    func add(_ reads: AtMostTwo<TileID>) {
      for tile in reads where !found.contains(tile) { found.append(tile) }
    }
    for index in indices {
      let steps = list[index].steps
      for step in list[index].window { add(steps.reads(step)) }
    }
    for replay in replays.list { add(replay.reads) }
    return found
  }

  /// The first of all steps that are to be done here; nil for none.
  var least: StepOrder? {
    let next = indices.filter { !list[$0].window.isEmpty }.map { order($0, list[$0].next) }
    return (next + replays.list.map(\.order)).min()
  }

  /// The tiles that the rank furthest behind waits for, or that are being read for it: however full it is,
  /// they are let in.
  var tilesBehind: AtMostTwo<TileID> {
    var behind: (order: StepOrder, rank: Int?, reads: AtMostTwo<TileID>)?
    for index in indices where !list[index].window.isEmpty {
      let order = order(index, list[index].next)
      if let behind, behind.order < order { continue }
      behind = (order, index, AtMostTwo())
    }
    for replay in replays.list {
      if let behind, behind.order < replay.order { continue }
      behind = (replay.order, nil, replay.reads)
    }
    guard let behind else { return AtMostTwo() }
    return behind.rank.map { list[$0].steps.reads(list[$0].next) } ?? behind.reads
  }

  /// Whether a tile is of use to anybody here. A rank whose rows came late needs again what the others are
  /// done with. One that has stopped to be handed over keeps nothing: others fold on meanwhile.
  func isStillToRead(_ tile: TileID) -> Bool {
    indices.contains { list[$0].goesOn && list[$0].isStillToRead(tile) } || replays.read(tile)
  }

  /// Whether a step that is soon to be done reads a tile.
  func isWanted(_ tile: TileID) -> Bool {
    indices.contains { list[$0].hasInWindow(tile) } || replays.read(tile)
  }

  /// Whether the compute threads are at a tile, perhaps for a rank that is gone.
  func isFolded(_ tile: TileID) -> Bool { folds.contains { $0.all.read(tile, in: $0.steps) } }

  /// Whether a tile stays here without any rank here reading it.
  func keep(_ tile: TileID, _ view: JobView) -> Bool {
    guard tile.tensor == .partial else { return view.isOwn(tile) }
    return indices.contains { list[$0].outbox.contains(tile) }
  }

  /// The rank on whose behalf a tile is asked for: the one furthest behind that needs it. For a tile
  /// of the shard any will do.
  func asker(for tile: TileID, _ plan: Plan) -> Int? {
    guard tile.tensor != .query else { return index(of: plan.holder(ofQueryTile: tile.index)) }
    let needers = indices.filter { list[$0].isStillToRead(tile) }
    return needers.min { position($0) < position($1) } ?? indices.first
  }

  private func position(_ index: Int) -> StepOrder { list[index].steps.order(list[index].next) }

  /// Where a step of a rank stands: of two ranks the one whose step comes first in the order of all is
  /// further behind.
  private func order(_ index: Int, _ step: Int) -> StepOrder {
    guard defect != .orderByTile else {
      return StepOrder(phase: 0, place: list[index].steps.tile(step), turn: 0)
    }
    return list[index].steps.order(step)
  }

  // MARK: What the compute threads do

  /// Gives folds to the compute threads: the rank furthest behind first, so that ranks of one worker
  /// stay together and a tile that arrives is folded for all of them.
  ///
  /// - Parameter outboxTiles: accumulators that a rank publishes before readers have passed some.
  mutating func fold(
    _ cache: TileCache, _ view: JobView, outboxTiles: Int, into effects: inout Effects
  ) {
    while folds.count < Limits.foldsOutstanding {
      var first: (order: StepOrder, index: Int, steps: Range<Int>)?
      for index in indices {
        let steps = list[index].ready(cache, view, outboxTiles: outboxTiles)
        guard !steps.isEmpty else { continue }
        let order = order(index, steps.lowerBound)
        if let first, !(order < first.order) { continue }
        first = (order, index, steps)
      }
      guard let (_, index, steps) = first else { return }
      let (vrank, epoch) = list[index].identity
      list[index].dispatch(to: steps.upperBound)
      folds.append(
        OutstandingFold(vrank: vrank, epoch: epoch, steps: steps, all: list[index].steps))
      effects.append(.fold(vrank, epoch, steps: steps))
    }
  }

  /// The compute threads have done what they were given. The state itself refuses anything but its next steps.
  ///
  /// - Returns: the rank, unless it is gone, and the steps that are done.
  mutating func folded(
    _ vrank: VRank, _ epoch: Epoch, next: Int, cost: Duration
  ) -> (index: Int, steps: Range<Int>)? {
    guard
      let place = folds.firstIndex(where: {
        $0.vrank == vrank && $0.epoch == epoch && $0.steps.upperBound == next
      })
    else { return nil }
    let steps = folds.remove(at: place).steps
    guard let index = index(of: vrank, epoch), list[index].next == steps.lowerBound else {
      return nil
    }
    list[index].folded(steps, cost: cost)
    return (index, steps)
  }
}
