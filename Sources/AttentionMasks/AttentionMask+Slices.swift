/// Part of a tile that one fold takes: rows of a query tile, and what each of them sees of a K/V tile.
package struct MaskSlice: Sendable, Equatable {
  /// Rows, counted from the query tile's first.
  package let rows: Range<Int>
  /// Row 0 is `rows.lowerBound`, key 0 the K/V tile's first.
  package let visibility: KeyVisibility
  /// Position of row `rows.lowerBound` minus position of the K/V tile's first key: for ALiBi.
  package let distance: Int

  /// A slice of rows `rows` of a query tile; for tests and masks of one's own.
  package init(rows: Range<Int>, visibility: KeyVisibility, distance: Int) {
    self.rows = rows
    self.visibility = visibility
    self.distance = distance
  }

  /// (query, key) pairs that the fold computes.
  package var pairCount: Int { visibility.pairCount(rowCount: rows.count) }
}

extension KeyVisibility {
  /// (row, key) pairs of the first `rowCount` rows.
  package func pairCount(rowCount: Int) -> Int {
    clampedSum(from: upper, count: rowCount) - clampedSum(from: lower, count: rowCount)
  }

  /// The sum of clamp(first), clamp(first + 1), …: at the floor first, then rising, then at the ceiling.
  private func clampedSum(from first: Int, count: Int) -> Int {
    let low = min(count, max(0, floor - first))
    let high = min(count, max(0, ceiling - first))
    let (start, rising) = (first + low, high - low)
    return low * floor + rising * (2 * start + rising - 1) / 2 + (count - high) * ceiling
  }
}

extension AttentionMask {
  /// What there is to fold of a tile, in this order: each row's keys ascend, and every pair that is seen
  /// is in exactly one slice. None where the whole tile is to be skipped.
  ///
  /// - Parameters:
  ///   - rows: queries of the query tile; `keys`: keys of the K/V tile.
  ///   - head: of which query head, where heads have block maps of their own; nil for what any of them
  ///     sees.
  package func forEachSlice(
    rows: Range<Int>, keys: Range<Int>, head: Int? = nil, _ body: (MaskSlice) -> Void
  ) {
    for document in documents(of: rows) {
      let own = rows.clamped(to: document.queries)
      let seen = keys.clamped(to: document.keys)
      if own.isEmpty || seen.isEmpty { continue }
      guard let blocks else {
        slice(document, own, seen, rows, keys, body)
        continue
      }
      // Rows that the map doesn't tell apart.
      for row in own.lowerBound / blocks.queries...(own.upperBound - 1) / blocks.queries {
        let group = own.clamped(to: row * blocks.queries..<(row + 1) * blocks.queries)
        blocks.forEachRun(query: group.lowerBound, among: seen, head: head) {
          slice(document, group, $0, rows, keys, body)
        }
      }
    }
  }

  /// The same as a list.
  package func slices(rows: Range<Int>, keys: Range<Int>, head: Int? = nil) -> [MaskSlice] {
    var slices: [MaskSlice] = []
    forEachSlice(rows: rows, keys: keys, head: head) { slices.append($0) }
    return slices
  }

  /// Of keys `run`, the sinks that `rows` see, and then their window.
  func slice(
    _ document: Document, _ rows: Range<Int>, _ run: Range<Int>, _ queryTile: Range<Int>,
    _ keyTile: Range<Int>, _ body: (MaskSlice) -> Void
  ) {
    let position = rows.lowerBound + document.offset - keyTile.lowerBound
    let windowStart = before.map { position - $0 }
    func give(_ keys: Range<Int>, lower: Int? = nil, upper: Int? = nil) {
      if keys.isEmpty { return }
      let visibility = KeyVisibility(
        lower: lower ?? -KeyVisibility.unbounded, upper: upper ?? KeyVisibility.unbounded,
        floor: keys.lowerBound - keyTile.lowerBound, ceiling: keys.upperBound - keyTile.lowerBound)
      // The last row's end is the furthest, the first row's start the nearest.
      if visibility.end(rows.count - 1) <= visibility.start(0) { return }
      body(
        MaskSlice(
          rows: rows.lowerBound - queryTile.lowerBound..<rows.upperBound - queryTile.lowerBound,
          visibility: visibility, distance: position))
    }
    if windowStart != nil {
      let start = document.keys.lowerBound
      give(run.clamped(to: start..<start + sinks), upper: windowStart)
    }
    give(run, lower: windowStart, upper: after.map { position + $0 + 1 })
  }

  /// (query, key) pairs that are seen: what is useful work.
  package func pairCount(rows: Range<Int>, keys: Range<Int>, head: Int? = nil) -> Int {
    if let blocks { return pairCount(rows: rows, keys: keys, head: head, blocks) }
    var count = 0
    forEachSlice(rows: rows, keys: keys, head: head) { count += $0.pairCount }
    return count
  }

  /// The last key that any query of `rows` sees; nil where they see none.
  package func lastNeededKey(rows: Range<Int>) -> Int? {
    // Keys of documents ascend: only those behind the last with any key are looked through in vain.
    for document in documents(of: rows).reversed() {
      let own = rows.clamped(to: document.queries)
      let last = blocks.map { lastNeededKey(own, document, $0) } ?? neededKeys(rows: own).last
      if let last { return last }
    }
    return nil
  }

  /// The same of rows of a document under a map, looked for from its end.
  private func lastNeededKey(_ rows: Range<Int>, _ document: Document, _ blocks: BlockMap) -> Int? {
    var last: Int?
    for row in rows.isEmpty
      ? 0..<0 : rows.lowerBound / blocks.queries..<(rows.upperBound - 1) / blocks.queries + 1
    {
      let group = rows.clamped(to: row * blocks.queries..<(row + 1) * blocks.queries)
      // From behind what the rows before see to the last key that the group's last row may see.
      let first = last.map { $0 + 1 } ?? document.keys.lowerBound
      let end = after.map { group.upperBound + document.offset + $0 } ?? .max
      var range = first..<max(first, min(end, document.keys.upperBound))
      while let block = blocks.lastBlock(query: group.lowerBound, among: range) {
        var end: Int?
        slice(document, group, block, group, 0..<keyCount) {
          end = max(end ?? 0, $0.visibility.end($0.rows.count - 1))
        }
        if let end {
          last = end - 1
          break
        }
        range = range.lowerBound..<block.lowerBound
      }
    }
    return last
  }

  /// Queries among which are all that see any key of `keys`; of those that a block map leaves out some.
  package func queries(near keys: Range<Int>) -> Runs {
    Runs(
      documents(with: keys).flatMap { document -> [Range<Int>] in
        let own = keys.clamped(to: document.keys)
        guard let first = own.first, let last = own.last else { return [] }
        // A key that is so far behind a query is not seen by any before it.
        let from = after.map { first - $0 - document.offset } ?? document.queries.lowerBound
        let isSink = before == nil || first < document.keys.lowerBound + sinks
        let end =
          isSink
          ? document.queries.upperBound : (before ?? 0) + last - document.offset + 1
        let (low, high) = (
          max(from, document.queries.lowerBound), min(end, document.queries.upperBound)
        )
        return low < high ? [low..<high] : []
      })
  }

  /// The documents that keys of `keys` can be of.
  private func documents(with keys: Range<Int>) -> ArraySlice<Document> {
    documents[Runs.places(documents.count, near: keys) { documents[$0].keys }]
  }

  /// The tiles of `size` keys in which any query of `rows` sees any, in any head. A map may name very many
  /// blocks: they aren't kept.
  package func neededTiles(rows: Range<Int>, of size: Int) -> Runs {
    neededTiles(rows: [rows], of: size)
  }

  /// The same of several runs of queries, of which there may be many.
  package func neededTiles(rows runs: [Range<Int>], of size: Int) -> Runs {
    guard let blocks else {
      return Runs(runs.flatMap { neededKeys(rows: $0).ranges }).tiles(of: size)
    }
    return neededTiles(rows: runs, of: size, blocks)
  }

  /// The keys that any query of `rows` sees, in any head: what has to be there to compute them, and no
  /// key more.
  package func neededKeys(rows: Range<Int>) -> Runs {
    // What a slice's rows see moves on by one key from row to row: together they leave nothing out.
    Runs(
      slices(rows: rows, keys: 0..<keyCount).map {
        $0.visibility.start(0)..<$0.visibility.end($0.rows.count - 1)
      })
  }
}
