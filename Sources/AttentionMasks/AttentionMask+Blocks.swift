/// What a whole map lets through, without going through its blocks one by one: there may be tens of millions.
extension AttentionMask {
  /// The same as of `pairCount`, under a map.
  func pairCount(
    rows: Range<Int>, keys: Range<Int>, head: Int?, _ blocks: BlockMap
  ) -> Int {
    var count = 0
    forEachGroup(rows: rows, keys: keys, blocks) { group, visibility in
      let last = group.count - 1
      let some = visibility.start(0)..<visibility.end(last)
      // Of blocks that all rows of the group see whole it is enough to know how many there are.
      let all = visibility.start(last)..<max(visibility.start(last), visibility.end(0))
      let whole = blocks.columns(within: all)
      count +=
        group.count * blocks.keys
        * blocks.count(query: group.lowerBound, columns: whole, head: head)
      blocks.forEachRun(query: group.lowerBound, outside: whole, among: some, head: head) {
        count += visibility.among($0.lowerBound, $0.upperBound).pairCount(rowCount: group.count)
      }
    }
    return count
  }

  /// The same as of `neededTiles`, under a map.
  func neededTiles(rows runs: [Range<Int>], of size: Int, _ blocks: BlockMap) -> Runs {
    // Runs of tiles are fewer than tiles, once they are put together.
    let most = keyCount / size + 64
    var found: [Range<Int>] = []
    func add(_ keys: Range<Int>) {
      let tiles = keys.lowerBound / size..<(keys.upperBound - 1) / size + 1
      if let last = found.last, last.lowerBound <= tiles.lowerBound,
        tiles.lowerBound <= last.upperBound
      {
        found[found.count - 1] = last.lowerBound..<max(last.upperBound, tiles.upperBound)
      } else {
        if found.count > 2 * most { found = Runs(found).ranges }
        found.append(tiles)
      }
    }
    // Blocks of which some row of a group sees each key.
    var whole = [UInt8](
      repeating: 0, count: BlockMap.byteCount(heads: 1, rows: 1, columns: blocks.columns))
    for rows in runs {
      forEachGroup(rows: rows, keys: 0..<keyCount, blocks) { group, visibility in
        let some = visibility.start(0)..<visibility.end(group.count - 1)
        let columns = blocks.columns(within: some)
        blocks.join(query: group.lowerBound, columns: columns, into: &whole)
        blocks.forEachRun(
          query: group.lowerBound, outside: columns, among: some, head: nil, add)
      }
    }
    BlockMap(queries: 1, keys: blocks.keys, rows: 1, columns: blocks.columns, bytes: whole)
      .forEachRun(query: 0, among: 0..<keyCount, head: nil, add)
    return Runs(found)
  }

  /// Rows that the map doesn't tell apart, with what they see without it: what the first sees begins no
  /// later than what the last sees, and together they leave no key out.
  private func forEachGroup(
    rows: Range<Int>, keys: Range<Int>, _ blocks: BlockMap,
    _ body: (Range<Int>, KeyVisibility) -> Void
  ) {
    for document in documents(of: rows) {
      let own = rows.clamped(to: document.queries)
      let seen = keys.clamped(to: document.keys)
      if own.isEmpty || seen.isEmpty { continue }
      for row in own.lowerBound / blocks.queries...(own.upperBound - 1) / blocks.queries {
        let group = own.clamped(to: row * blocks.queries..<(row + 1) * blocks.queries)
        slice(document, group, seen, group, 0..<keyCount) { body(group, $0.visibility) }
      }
    }
  }
}

extension BlockMap {
  /// Columns all of whose keys are in `keys`.
  fileprivate func columns(within keys: Range<Int>) -> Range<Int> {
    let first = (keys.lowerBound + self.keys - 1) / self.keys
    return first..<max(first, min(keys.upperBound / self.keys, columns))
  }

  /// As of `forEachRun`, without whole columns.
  fileprivate func forEachRun(
    query: Int, outside columns: Range<Int>, among keys: Range<Int>, head: Int?,
    _ body: (Range<Int>) -> Void
  ) {
    guard !columns.isEmpty else {
      return forEachRun(query: query, among: keys, head: head, body)
    }
    let before = keys.lowerBound..<columns.lowerBound * self.keys
    let behind = columns.upperBound * self.keys..<keys.upperBound
    for part in [before, behind] where !part.isEmpty {
      forEachRun(query: query, among: part, head: head, body)
    }
  }
}
