/// The tiles of a job as one worker has them: which are here, which are asked for, which are packed, and how
/// many more there may be.
///
///     absent ─pull─► requested ─last part─► resident ─in a window─► packed ─folded─► resident ─► absent
///                                              (foreign tiles may always be dropped; owned ones stay)
struct TileCache: Sendable {
  let window: TileWindow
  private var table: TileTable
  /// Tiles as the compute threads read them.
  private var packed: [TileID] = []
  /// Tiles that are kept, or asked for, for the ranks here, and are another's, ascending.
  private var foreign: [TileID] = []

  init(plan: Plan, window: TileWindow) {
    self.window = window
    table = TileTable(plan: plan)
  }

  /// Whether a tile that a peer names is one of the job's: the others may be asked of nothing here.
  func isKnown(_ tile: TileID) -> Bool { table.isKnown(tile) }
  func isResident(_ tile: TileID) -> Bool { table.isResident(tile) }
  func isAbsent(_ tile: TileID) -> Bool { table.isAbsent(tile) }
  func isPacked(_ tile: TileID) -> Bool { packed.contains(tile) }
  func isForeign(_ tile: TileID) -> Bool { foreign.contains(tile) }

  /// Those but rows that aren't absent, ascending.
  var here: [TileID] { table.here }
  /// Those that somebody was asked for: rows, then the others, ascending.
  var requested: [TileID] { table.requested }

  /// How a tile was asked for that hasn't arrived; nil for any other one.
  func request(of tile: TileID) -> TileState.Request? {
    guard table.isKnown(tile), case .requested(let request) = table[tile] else { return nil }
    return request
  }

  mutating func ask(_ request: TileState.Request, for tile: TileID) {
    table[tile] = .requested(request)
  }

  /// All of a tile is here.
  mutating func have(_ tile: TileID) { table[tile] = .resident }

  /// It isn't asked for any more; a foreign one keeps its room.
  mutating func giveUp(_ tile: TileID) { table[tile] = .absent }

  /// A tile that a rank here published: it stays as long as it is kept.
  mutating func own(_ tile: TileID) {
    table[tile] = .resident
    foreign.removeAll { $0 == tile }
  }

  /// Lets go of a tile, asked for or kept, and of the room for it.
  mutating func drop(_ tile: TileID, into effects: inout Effects) {
    foreign.removeAll { $0 == tile }
    guard !table.isAbsent(tile) else { return }
    table[tile] = .absent
    effects.append(.forget(tile))
  }

  // MARK: Room

  /// A foreign tile that nobody here has any use for.
  func isDroppable(_ tile: TileID, for ranks: HostedRanks) -> Bool {
    isResident(tile) && !packed.contains(tile) && !ranks.isStillToRead(tile)
  }

  /// Whether one more foreign tile may be held. Drops the lowest that no rank here still has to
  /// fold, as many as are too many: a shard that became another's is many at once. The tile that the
  /// rank furthest behind waits for is always let in.
  ///
  /// - Parameter isFirst: whether somebody elsewhere is further behind, and waits for it.
  mutating func makeRoom(
    for tile: TileID, _ ranks: HostedRanks, isFirst: Bool = false, into effects: inout Effects
  ) -> Bool {
    while foreign.count >= window.kept,
      let old = foreign.first(where: { isDroppable($0, for: ranks) })
    {
      drop(old, into: &effects)
    }
    guard foreign.count < window.kept || isFirst || ranks.tilesBehind.contains(tile) else {
      return false
    }
    foreign.append(tile)
    foreign.sort()
    return true
  }

  /// The table of hosts changed: foreign tiles that were own may be dropped, and what was kept as a shard may
  /// be far more than windows need.
  mutating func review(
    for ranks: HostedRanks, _ view: JobView, into effects: inout Effects
  ) {
    foreign = (table.here + ranks.replays.list.map(\.tile)).filter { !ranks.keep($0, view) }
      .sorted()
    for tile in foreign where foreign.count > window.kept && isDroppable(tile, for: ranks) {
      drop(tile, into: &effects)
    }
  }

  // MARK: Packed tiles

  /// Lets go of what no step is soon to read, nor is reading.
  ///
  /// - Parameter window: the tiles of windows.
  mutating func unpack(
    except window: [TileID], _ ranks: HostedRanks, into effects: inout Effects
  ) {
    let done = packed.filter { !window.contains($0) && !ranks.isFolded($0) }
    guard !done.isEmpty else { return }
    for tile in done { effects.append(.unpack(tile)) }
    packed.removeAll { done.contains($0) }
  }

  /// Packs what is here of windows, as much as there may be.
  mutating func pack(_ window: [TileID], _ ranks: HostedRanks, into effects: inout Effects) {
    let missing = window.filter { isResident($0) && !packed.contains($0) }
    guard !missing.isEmpty else { return }
    let behind = ranks.tilesBehind
    for tile in missing where packed.count < self.window.kept || behind.contains(tile) {
      packed.append(tile)
      effects.append(.pack(tile))
    }
  }
}
