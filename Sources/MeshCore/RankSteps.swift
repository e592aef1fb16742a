/// The steps of one virtual rank: those of one phase after those of another. They never change, and many
/// hold them: hence a class.
package final class RankSteps: Sendable {
  private let vrank: VRank
  private let spans: [Span]
  private let chain: Chain
  private let ranks: Int
  /// How many there are.
  package let count: Int

  private struct Span: Hashable, Sendable {
    let phase: Phase
    let number: Int
    let tiles: NeededTiles
    let start: Int

    var end: Int { start + tiles.count }

    func tile(_ step: Int) -> Int {
      tiles[phase.isDescending ? end - 1 - step : step - start]
    }

    /// The step of a tile.
    func step(of tile: Int) -> Int? {
      tiles.place(of: tile).map { phase.isDescending ? end - 1 - $0 : start + $0 }
    }
  }

  init(
    _ phases: [Phase], of vrank: VRank, ranks: Int, chain: Chain,
    tiles: (Phase.Span) -> NeededTiles
  ) {
    self.vrank = vrank
    self.ranks = ranks
    self.chain = chain
    var (spans, start) = ([Span](), 0)
    for (number, phase) in phases.enumerated() {
      spans.append(Span(phase: phase, number: number, tiles: tiles(phase.span), start: start))
      start += spans[number].tiles.count
    }
    self.spans = spans
    count = start
  }

  package var isEmpty: Bool { count == 0 }

  /// The steps after which all is published that is kept, as long as the job lives or until it is handed in.
  var endOfKept: Int {
    spans.last { $0.phase.publishes == .hidden || $0.phase.keeps != nil }?.end ?? 0
  }

  /// The steps that are done again for others, where the state is gone: those whose tiles depend on it.
  var endOfRevival: Int { spans.last { $0.phase.publishes == .hidden }?.end ?? 0 }

  /// Whether a step that hands on an accumulator reads rows of its rank.
  var passesRows: Bool { spans.contains { $0.phase.operation == .differentiate } }

  /// One past the last step of the phase of a step; at the end the end.
  func endOfPhase(_ step: Int) -> Int { step < count ? spans[place(step)].end : count }

  /// Where the span of a step is. Spans aren't handed out: to copy one costs more than what is asked of it.
  private func place(_ step: Int) -> Int {
    precondition((0..<count).contains(step), "step \(step) of \(count)")
    return spans.count == 1 ? 0 : spans.firstIndex { step < $0.end } ?? 0
  }

  /// What the compute threads do in a step.
  package func operation(_ step: Int) -> Phase.Operation { spans[place(step)].phase.operation }

  /// The index of the tile that a step is about.
  package func tile(_ step: Int) -> Int { spans[place(step)].tile(step) }

  package func order(_ step: Int) -> StepOrder {
    let place = place(step)
    let phase = spans[place].phase
    let tile = spans[place].tile(step)
    return StepOrder(
      phase: spans[place].number, place: phase.isDescending ? -tile : tile,
      turn: phase.travels ? (phase.goesDown ? -vrank.index : vrank.index) : 0)
  }

  /// The tiles that a step reads, beside what the rank has of its own.
  package func reads(_ step: Int) -> AtMostTwo<TileID> {
    let place = place(step)
    let phase = spans[place].phase
    let tile = spans[place].tile(step)
    let read = phase.reads.map { TileID($0, tile) }
    guard phase.travels else { return AtMostTwo(read) }
    return AtMostTwo(read, chain.previous(at: tile).map { partial(tile, of: $0) })
  }

  /// The tile that a step publishes.
  package func publishes(_ step: Int) -> TileID? {
    let place = place(step)
    guard let tensor = spans[place].phase.publishes else { return nil }
    let tile = spans[place].tile(step)
    guard tensor == .partial else { return TileID(tensor, tile) }
    guard chain.next(at: tile) == nil else { return partial(tile, of: vrank) }
    return spans[place].phase.keeps.map { TileID($0, tile) }
  }

  /// The step that publishes a tile; nil for a tile that isn't this rank's.
  package func step(publishing tile: TileID) -> Int? {
    let isPartial = tile.tensor == .partial
    if isPartial, tile.index % ranks != vrank.index { return nil }
    let index = isPartial ? tile.index / ranks : tile.index
    for place in spans.indices
    where spans[place].phase.publishes == tile.tensor || spans[place].phase.keeps == tile.tensor {
      guard let step = spans[place].step(of: index), publishes(step) == tile else { continue }
      return step
    }
    return nil
  }

  /// The one rank that reads an accumulator of this rank's; nil for another tile.
  package func reader(of tile: TileID) -> VRank? {
    tile.tensor == .partial ? chain.next(at: tile.index / ranks) : nil
  }

  /// What has travelled to this rank and no further, ascending.
  package var kept: [TileID] {
    (0..<endOfKept).compactMap { publishes($0) }.filter { $0.tensor == .gradient }
  }

  /// The most tiles that it publishes.
  var publishedMaximum: Int {
    spans.reduce(0) { $0 + ($1.phase.publishes == nil ? 0 : $1.tiles.count) }
  }

  private func partial(_ tile: Int, of producer: VRank) -> TileID {
    TileID(.partial, tile * ranks + producer.index)
  }

  /// The steps that read a tile, of each phase one at the most, ascending.
  package func steps(reading tile: TileID) -> AtMostTwo<Int> {
    var found = AtMostTwo<Int>()
    let isPartial = tile.tensor == .partial
    let index = isPartial ? tile.index / ranks : tile.index
    for place in spans.indices {
      let phase = spans[place].phase
      guard isPartial ? phase.travels : phase.reads == tile.tensor,
        let step = spans[place].step(of: index)
      else { continue }
      if isPartial, chain.previous(at: index)?.index != tile.index % ranks { continue }
      found.append(step)
    }
    return found
  }

  /// Whether one of some steps reads a tile.
  package func read(_ tile: TileID, in steps: Range<Int>) -> Bool {
    self.steps(reading: tile).contains { steps.contains($0) }
  }
}
