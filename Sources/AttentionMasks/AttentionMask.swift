/// Which keys each query of a head sees: all of them or those up to its own position (causal), a
/// sliding window, the first tokens as attention sinks, packed documents that don't see each other,
/// and a map of blocks; each together with the others. `sees` defines it, pair by pair; `slices` cuts
/// a tile into what kernels fold, and nothing else is computed.
///
/// Queries stand among the keys of their document: query i of it at position i + offset. Where there
/// are fewer queries than keys the last query stands at the last key, as in FlashAttention since 2.1.
package struct AttentionMask: Hashable, Sendable {
  /// Queries and keys of one document, ascending and disjoint in a sequence.
  package struct Document: Hashable, Sendable {
    /// Indices in the whole sequence, as of `keys`.
    package let queries: Range<Int>
    package let keys: Range<Int>
    /// Position of a query, as a key's index, minus its own index.
    package let offset: Int
  }

  /// Ascending, of queries and of keys.
  package let documents: [Document]
  private static var most: Int { 1 << 40 }
  /// Keys that a query sees before its own position, and behind it; nil for all of the document.
  package let before: Int?
  package let after: Int?
  /// First keys of a document that are seen however far before, where `before` isn't nil.
  package let sinks: Int
  /// Of the pairs that the rest lets through, those in these blocks; nil for all.
  package let blocks: BlockMap?

  /// One document of `queries` queries and `keys` keys.
  ///
  /// - Parameters:
  ///   - offset: position of query 0 among the keys; by default the last query stands at the last key.
  ///   - Precondition: counts, `before`, `after` and `sinks` are not negative.
  package init(
    queries: Int, keys: Int, offset: Int? = nil, before: Int? = nil, after: Int? = nil,
    sinks: Int = 0, blocks: BlockMap? = nil
  ) {
    precondition(queries >= 0 && keys >= 0, "\(queries) queries, \(keys) keys")
    self.init(
      documents: [
        Document(queries: 0..<queries, keys: 0..<keys, offset: offset ?? keys - queries)
      ], before: before, after: after, sinks: sinks, blocks: blocks)
  }

  /// Packed documents: `queries` and `keys` are cumulative lengths, 0 first, as FlashAttention's
  /// `cu_seqlens`.
  ///
  /// - Precondition: as many of both, ascending from 0.
  package init(
    packed queries: [Int], keys: [Int], before: Int? = nil, after: Int? = nil, sinks: Int = 0,
    blocks: BlockMap? = nil
  ) {
    precondition(queries.count == keys.count && queries.first == 0 && keys.first == 0)
    precondition(zip(queries, queries.dropFirst()).allSatisfy { $0 <= $1 }, "\(queries)")
    precondition(zip(keys, keys.dropFirst()).allSatisfy { $0 <= $1 }, "\(keys)")
    self.init(
      documents: (1..<queries.count).map {
        Document(
          queries: queries[$0 - 1]..<queries[$0], keys: keys[$0 - 1]..<keys[$0],
          offset: keys[$0] - queries[$0])
      }, before: before, after: after, sinks: sinks, blocks: blocks)
  }

  private init(
    documents: [Document], before: Int?, after: Int?, sinks: Int, blocks: BlockMap?
  ) {
    precondition((before ?? 0) >= 0 && (after ?? 0) >= 0 && sinks >= 0)
    precondition(
      documents.allSatisfy { abs($0.offset) <= Self.most && $0.keys.upperBound <= Self.most })
    self.documents = documents
    // Beyond any sequence; `Int.max` would overflow in sums with positions.
    self.before = before.map { min($0, Self.most) }
    self.after = after.map { min($0, Self.most) }
    self.sinks = min(sinks, Self.most)
    self.blocks = blocks
  }

  /// The definition: whether `query` sees `key`, in a head or, without `head`, in any.
  package func sees(query: Int, key: Int, head: Int? = nil) -> Bool {
    guard let document = document(of: query), document.keys.contains(key),
      blocks?.sees(query: query, key: key, head: head) ?? true
    else { return false }
    let behind = key - (query + document.offset)
    if let after, behind > after { return false }
    guard let before else { return true }
    return behind >= -before || key < document.keys.lowerBound + sinks
  }

  /// The document that a query is of, if it is of any.
  package func document(of query: Int) -> Document? {
    documents(of: query..<query + 1).first { $0.queries.contains(query) }
  }

  /// The documents that queries of `rows` can be of.
  func documents(of rows: Range<Int>) -> ArraySlice<Document> {
    documents[Runs.places(documents.count, near: rows) { documents[$0].queries }]
  }

  /// Tokens of all documents.
  package var queryCount: Int { documents.last?.queries.upperBound ?? 0 }
  package var keyCount: Int { documents.last?.keys.upperBound ?? 0 }
}
