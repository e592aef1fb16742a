/// What a job says of its mask, before its lengths are known to fit: the flags of the command line, and a
/// part of every job. `problem` refuses what can't be, `mask` is what it means.
///
/// Everything holds inside a document, and one sequence is one document. Query i of a document stands
/// at position i + (its keys − its queries): the last query at the last key.
package struct MaskRule: Hashable, Sendable {
  /// No query sees keys behind its own position.
  package var isCausal: Bool
  /// Keys before a query's position that it sees, itself not counted; nil for all.
  package var left: Int?
  /// Keys behind a query's position that it sees; nil for all. Under a causal mask none are seen.
  package var right: Int?
  /// First keys of a document that its queries see however far before `left` they are.
  package var sinkTokens: Int
  /// Lengths of packed documents, which don't see each other; nil for one.
  package var documents: Documents?
  /// What blocks a job's block map has; nil without one. Which of them are seen is said elsewhere.
  package var blocks: Block?

  /// Tokens of each document, of queries and of keys: as many of both, and none is negative.
  package struct Documents: Hashable, Sendable, Codable {
    package var queries: [Int]
    package var keys: [Int]

    package init(queries: [Int], keys: [Int]) {
      self.queries = queries
      self.keys = keys
    }
  }

  /// Blocks of queries × keys, counted from the first of each, whatever documents there are.
  package struct Block: Hashable, Sendable, Codable {
    package var queries: Int
    package var keys: Int
    /// Whether each query head has a map of its own.
    package var isPerHead: Bool

    package init(queries: Int, keys: Int, isPerHead: Bool = false) {
      self.queries = queries
      self.keys = keys
      self.isPerHead = isPerHead
    }

    /// How many there are in tensors of these lengths; the last ones may be cut short.
    ///
    /// - Precondition: `problem` is nil.
    package func counts(queryTokens: Int, keyTokens: Int) -> (rows: Int, columns: Int) {
      // Both may be as many as no tensor has, with whom a sum would overflow.
      ((queryTokens - 1) / queries + 1, (keyTokens - 1) / keys + 1)
    }

    /// Why there can be no such blocks; nil when there can.
    package var problem: String? {
      let sizes = 1...MaskRule.tokensMaximum
      if sizes.contains(queries), sizes.contains(keys) { return nil }
      return "blocks of \(queries) × \(keys) tokens; both must be 1 to \(MaskRule.tokensMaximum)"
    }
  }

  package init(
    isCausal: Bool = false, left: Int? = nil, right: Int? = nil, sinkTokens: Int = 0,
    documents: Documents? = nil, blocks: Block? = nil
  ) {
    self.isCausal = isCausal
    self.left = left
    self.right = right
    self.sinkTokens = sinkTokens
    self.documents = documents
    self.blocks = blocks
  }

  /// Every query sees every key.
  package static let full = MaskRule()
  /// Every query sees the keys up to its own position.
  package static let causal = MaskRule(isCausal: true)

  /// What people read: "causal, window 1023 before, 4 sink tokens".
  package var name: String {
    var words = [isCausal ? "causal" : "full"]
    let sides = [
      left.map { "\($0) before" }, isCausal ? nil : right.map { "\($0) behind" },
    ].compactMap(\.self)
    if !sides.isEmpty { words.append("window " + sides.joined(separator: " and ")) }
    if sinkTokens > 0 { words.append("\(sinkTokens) sink token\(sinkTokens == 1 ? "" : "s")") }
    if let documents {
      let count = documents.queries.count
      words.append("\(count) document\(count == 1 ? "" : "s")")
    }
    if let blocks {
      words.append(
        "\(blocks.isPerHead ? "a map for each head" : "a map") of blocks of \(blocks.queries) × \(blocks.keys)"
      )
    }
    return words.joined(separator: ", ")
  }

  /// Documents of a job, and tokens of a window or of a block: bounds of what a job may say.
  package static let documentsMaximum = 4_096
  package static let tokensMaximum = 1 << 40
}

extension MaskRule {
  /// Why tensors of these lengths can't have this mask, in one line; nil when they can.
  package func problem(queryTokens: Int, keyTokens: Int) -> String? {
    for (name, tokens) in [
      ("keys before a query", left), ("keys behind a query", right), ("sink tokens", sinkTokens),
    ] {
      guard let tokens, !(0...Self.tokensMaximum).contains(tokens) else { continue }
      return "\(tokens) \(name) are seen; it must be 0 to \(Self.tokensMaximum)"
    }
    if isCausal, let right, right > 0 {
      return "a window of \(right) keys behind a query and a causal mask, which hides them all"
    }
    if sinkTokens > 0, left == nil {
      return "\(sinkTokens) sink tokens without a window: all keys before a query are seen anyway"
    }
    if let problem = blocks?.problem { return problem }
    return documents.flatMap { problem(with: $0, queryTokens, keyTokens) }
  }

  private func problem(
    with documents: Documents, _ queryTokens: Int, _ keyTokens: Int
  ) -> String? {
    guard documents.queries.count == documents.keys.count else {
      return "\(documents.queries.count) documents of queries and \(documents.keys.count) of keys"
    }
    guard (1...Self.documentsMaximum).contains(documents.queries.count) else {
      return "\(documents.queries.count) documents; it must be 1 to \(Self.documentsMaximum)"
    }
    for (name, lengths, tokens) in [
      ("queries", documents.queries, queryTokens), ("keys", documents.keys, keyTokens),
    ] {
      if let length = lengths.first(where: { !(0...tokens).contains($0) }) {
        return "a document of \(length) \(name), where there are \(tokens)"
      }
      let total = lengths.reduce(0, +)
      if total != tokens {
        return "the documents' lengths add up to \(total) \(name), and the tensor has \(tokens)"
      }
    }
    return nil
  }

  /// The mask of tensors that the rule has no problem with.
  ///
  /// - Parameter map: the block map's contents; nil for what is seen without it.
  package func mask(queryTokens: Int, keyTokens: Int, map: BlockMap? = nil) -> AttentionMask {
    let after = isCausal ? 0 : right
    guard let documents else {
      return AttentionMask(
        queries: queryTokens, keys: keyTokens, before: left, after: after, sinks: sinkTokens,
        blocks: map)
    }
    func ends(_ lengths: [Int]) -> [Int] {
      lengths.reduce(into: [0]) { $0.append(($0.last ?? 0) + $1) }
    }
    return AttentionMask(
      packed: ends(documents.queries), keys: ends(documents.keys), before: left, after: after,
      sinks: sinkTokens, blocks: map)
  }
}
