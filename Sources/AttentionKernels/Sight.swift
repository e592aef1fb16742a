package import AttentionMasks

/// What a row sees, for the reference: the keys, ascending, and where its query stands among them.
package struct Sight: Sendable, Equatable {
  /// The keys that it sees.
  package let keys: [Int]
  /// The query's position, as a key's index.
  package let position: Int

  package init(keys: [Int], position: Int) {
    self.keys = keys
    self.position = position
  }

  /// Keys 0 ..< `keys`, from behind the last.
  package init(keys: Int) {
    self.init(keys: Array(0..<max(0, keys)), position: keys - 1)
  }
}

extension AttentionMask {
  /// What `query` sees of `keyCount` keys, pair by pair by the definition.
  ///
  /// - Parameter head: of which query head, where heads have block maps of their own.
  package func sight(query: Int, keyCount: Int, head: Int? = nil) -> Sight {
    let offset = documents.first { $0.queries.contains(query) }?.offset ?? 0
    return Sight(
      keys: (0..<keyCount).filter { sees(query: query, key: $0, head: head) },
      position: query + offset)
  }

  /// What `query` sees of `keys`, in no more time than these take, from what a kernel would fold: for rows
  /// of jobs whose kernels have been compared with the definition. Keys and position are counted from the
  /// first of `keys`.
  package func foldedSight(query: Int, keys tile: Range<Int>, head: Int? = nil) -> Sight {
    let slices = slices(rows: query..<query + 1, keys: tile, head: head)
    var keys: [Int] = []
    keys.reserveCapacity(slices.reduce(0) { $0 + $1.pairCount })
    for slice in slices { keys += slice.visibility.start(0)..<slice.visibility.end(0) }
    // Of a row that sees nothing nobody asks where it stands.
    return Sight(keys: keys, position: slices.first?.distance ?? query - tile.lowerBound)
  }
}
