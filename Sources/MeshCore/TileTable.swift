/// Where each tile of a job is, as a worker knows it.
struct TileTable: Sendable {
  private var queries: [TileState]
  private var keyValues: [TileState]
  /// Of tiles that ranks compute, those that aren't absent: there may be very many in all.
  private var computed: [TileID: TileState] = [:]
  private let computedCounts: [TileTensor: Int]

  init(plan: Plan) {
    queries = [TileState](repeating: .absent, count: plan.tileCount(.query))
    keyValues = [TileState](repeating: .absent, count: plan.tileCount(.keyValue))
    computedCounts = plan.computedTensors.reduce(into: [:]) { $0[$1] = plan.tileCount($1) }
  }

  /// Whether a tile that a peer names is one of the job's.
  func isKnown(_ tile: TileID) -> Bool {
    switch tile.tensor {
    case .query: queries.indices.contains(tile.index)
    case .keyValue: keyValues.indices.contains(tile.index)
    case .hidden, .partial, .gradient:
      (0..<(computedCounts[tile.tensor] ?? 0)).contains(tile.index)
    }
  }

  /// - Precondition: the tile is known.
  subscript(tile: TileID) -> TileState {
    get {
      switch tile.tensor {
      case .query: queries[tile.index]
      case .keyValue: keyValues[tile.index]
      case .hidden, .partial, .gradient: computed[tile] ?? .absent
      }
    }
    set {
      switch tile.tensor {
      case .query: queries[tile.index] = newValue
      case .keyValue: keyValues[tile.index] = newValue
      case .hidden, .partial, .gradient:
        if case .absent = newValue { computed[tile] = nil } else { computed[tile] = newValue }
      }
    }
  }

  func isResident(_ tile: TileID) -> Bool {
    if case .resident = self[tile] { return true }
    return false
  }

  func isAbsent(_ tile: TileID) -> Bool {
    if case .absent = self[tile] { return true }
    return false
  }

  /// Those that somebody was asked for: rows, then the others, ascending.
  var requested: [TileID] {
    func isRequested(_ state: TileState) -> Bool {
      if case .requested = state { return true }
      return false
    }
    return queries.indices.filter { isRequested(queries[$0]) }.map { .query($0) }
      + keyValues.indices.filter { isRequested(keyValues[$0]) }.map { .keyValue($0) }
      + computed.filter { isRequested($0.value) }.map(\.key).sorted()
  }

  /// Those but rows that aren't absent, ascending.
  var here: [TileID] {
    keyValues.indices.map { .keyValue($0) }.filter { !isAbsent($0) } + computed.keys.sorted()
  }
}

/// Where a tile is.
enum TileState: Sendable {
  case absent
  case requested(Request)
  /// All its parts are kept.
  case resident

  /// A tile that has been asked for.
  struct Request: Sendable {
    var source: Worker.Source
    /// Parts that have arrived: 0 ..< received.
    var received = 0
    /// One past the last part that the source was asked for.
    var asked: Int
    /// When it was asked for, or when something of it came last.
    var since: Duration
    /// Times that it was asked for since something of it came.
    var attempts: Int
    /// How long to wait, if not as long as answers usually take.
    var patience: Duration?
  }
}
