/// What is to be loaded from the coordinator's store, in which order, and how much of it is on its way.
struct StoreLoads: Sendable {
  /// The next one first.
  private var queries: ArraySlice<Int> = []
  private var shard: ArraySlice<Int> = []
  /// Asked for and not here.
  private var bytes = 0
  private var pulls = 0

  /// The next tile to load, if the credit allows: tiles of the shard that ranks need among their first, since
  /// they wait for them, then rows, then the rest of the shard.
  ///
  /// - Parameter isEarly: whether a K/V tile is among the first of some rank.
  mutating func next(isEarly: (Int) -> Bool) -> TileID? {
    guard
      bytes == 0 || (bytes < Limits.storeCreditBytes && pulls < Limits.storePullsOutstanding)
    else { return nil }
    let isFirst = shard.first.map(isEarly) ?? false
    if isFirst || queries.isEmpty, let tile = shard.popFirst() { return .keyValue(tile) }
    return queries.popFirst().map { .query($0) }
  }

  /// Rows of a rank, behind those of others.
  mutating func add(queryTiles: [Int]) { queries += queryTiles }

  mutating func remove(queryTiles: [Int]) {
    let gone = Set(queryTiles)
    queries = queries.filter { !gone.contains($0) }[...]
  }

  /// The K/V tiles that are to be loaded, in order, in place of those before.
  mutating func set(keyTiles: [Int]) { shard = keyTiles[...] }

  mutating func asked(for bytes: Int) {
    self.bytes += bytes
    pulls += 1
  }

  mutating func received(_ bytes: Int) { self.bytes -= bytes }

  /// What was asked for in one pull is here, or won't come any more but for the bytes.
  mutating func ended(missing bytes: Int = 0) {
    self.bytes -= bytes
    pulls -= 1
  }
}
