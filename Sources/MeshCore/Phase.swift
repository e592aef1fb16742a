/// Steps of one kind: of each virtual rank one for each of its tiles, in order. A program is a list of
/// phases, the same for all ranks, and a rank's progress the number of steps that it has done of them all.
///
/// A step reads immutable tiles, updates the rank's own accumulators, and may publish a tile: then it
/// is the tile's producer.
package struct Phase: Hashable, Sendable {
  /// What the compute threads do in a step; the engine that hands the steps out doesn't look at it.
  package enum Operation: Hashable, Sendable {
    /// Folds a K/V tile into the softmax states of the rank's rows.
    case fold
    /// Publishes a tile of what the rank's rows have become.
    case publish
    /// Takes a travelling accumulator from the rank before, adds to it, and hands it on.
    case pass
    /// Adds what a K/V tile and the rank's rows give to dQ, which stays, and to dK and dV, which travel.
    case differentiate
  }

  /// Of which tiles a rank has steps.
  package enum Span: Hashable, Sendable {
    /// Those in which some row of it sees some key.
    case needed
    /// Those of its own shard.
    case own
  }

  package let operation: Operation
  package let span: Span
  package let isDescending: Bool
  /// The tensor of which a step reads its tile; nil for none.
  package let reads: TileTensor?
  package let publishes: TileTensor?
  /// The tensor as which the last rank publishes what has travelled; nil where it stays in its state.
  package let keeps: TileTensor?
  /// Whether what travels goes from the last rank to the first.
  package let goesDown: Bool

  package init(
    _ operation: Operation, _ span: Span, isDescending: Bool = false, reads: TileTensor? = nil,
    publishes: TileTensor? = nil, keeps: TileTensor? = nil, goesDown: Bool = false
  ) {
    self.operation = operation
    self.span = span
    self.isDescending = isDescending
    self.reads = reads
    self.publishes = publishes
    self.keeps = keeps
    self.goesDown = goesDown
  }

  /// Whether its steps hand on an accumulator.
  var travels: Bool { publishes == .partial }

  /// Attention: K/V tiles in ascending order.
  static let forward = [Phase(.fold, .needed, reads: .keyValue)]

  /// The gradients of attention, from the statistics of its rows: K/V tiles in ascending order, and what
  /// travels goes down, so that dK and dV take query tiles in descending order.
  static let backward = [
    Phase(
      .differentiate, .needed, reads: .keyValue, publishes: .partial, keeps: .gradient,
      goesDown: true)
  ]

  /// Two layers and a sum that travels, in small: what is computed in the first one is folded in the
  /// second, and then each tile goes through the ranks that need it, from the last to the first.
  static let rehearsal =
    forward + [
      Phase(.publish, .own, publishes: .hidden),
      Phase(.fold, .needed, reads: .hidden),
      Phase(.pass, .needed, isDescending: true, reads: .hidden, publishes: .partial),
    ]
}

/// Where a step stands in the one order of all ranks' steps. Whatever a step reads is published by one
/// before it, so that of steps that aren't done the first can always be done.
package struct StepOrder: Comparable, Sendable {
  let phase: Int
  /// Tiles in the order of the phase.
  let place: Int
  /// Of ranks that hand on an accumulator.
  let turn: Int

  package static func < (left: StepOrder, right: StepOrder) -> Bool {
    (left.phase, left.place, left.turn) < (right.phase, right.place, right.turn)
  }
}
