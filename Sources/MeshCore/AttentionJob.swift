package import AttentionMasks
package import ElementTypes

/// How runs of tiles are dealt to the virtual ranks.
package enum Layout: UInt8, Sendable, CaseIterable, Codable {
  /// One run each, in order.
  case contiguous = 1
  /// Of 2P runs, rank r holds run r and run 2P − 1 − r: equal work under a causal mask.
  case zigzag = 2
  /// Single tiles in turn: rank r of P holds tiles r, r + P, …
  case striped = 3

  package var name: String { "\(self)" }
}

extension MaskRule {
  /// Zigzag where later rows see more keys than earlier ones: under a causal mask that nothing else
  /// narrows. Windows and documents have their keys nearby, and a rank's two runs would need two places.
  package var suitableLayout: Layout {
    isCausal && left == nil && documents == nil && blocks == nil ? .zigzag : .contiguous
  }
}

/// Which of a tensor's axes files have first, after any batch.
package enum AxisOrder: Sendable, CaseIterable {
  case headsFirst
  case tokensFirst

  package var name: String { self == .headsFirst ? "heads,tokens,dim" : "tokens,heads,dim" }
}

/// What an attention job computes: shapes, types, mask and options. Two jobs with equal values and
/// equal input digests have bit-equal outputs.
package struct AttentionJob: Hashable, Sendable, Codable {
  /// Sequences attended to independently.
  package var batch: Int
  package var queryHeads: Int
  package var keyValueHeads: Int
  package var queryTokens: Int
  package var keyTokens: Int
  package var headDimension: Int
  /// Type of query, key and value elements in the input and on the wire.
  package var element: ElementType
  package var mask: MaskRule
  /// Factor of the logits; 1/√d unless the user asked otherwise.
  package var scale: Float
  package var layout: Layout
  /// Virtual ranks asked for; 0 lets the coordinator choose.
  package var vranks: Int
  /// Whether the tensors have a batch dimension, even of one: the result has the query's shape.
  package var hasBatchDimension: Bool
  /// Set where files have the tokens before the heads. Optional, so that it can be missing in what an
  /// earlier version wrote.
  private var isTokensFirst: Bool?
  /// Set where heads may be cut. Optional, so that it can be missing in what an earlier version wrote.
  private var cutHeads: Int?
  /// Into how many equal groups the key/value heads may be cut, and their query heads with them, where
  /// there are fewer query tiles than ranks. What a part of a tile is depends on it: it is the job's.
  package var headCuts: Int {
    get { cutHeads ?? 1 }
    set { cutHeads = newValue > 1 ? newValue : nil }
  }
  /// Set where a strategy was asked for. Optional, so that it can be missing in what an earlier version wrote.
  private var askedStrategy: Strategy?
  /// How the job is shared out.
  package var strategy: Strategy {
    get { askedStrategy ?? .auto }
    set { askedStrategy = newValue == .auto ? nil : newValue }
  }
  /// The grid that was asked for with usp; nil leaves it to the strategy.
  package var grid: Grid?
  /// The order of the axes in the tensors' files, and in the result's; what is computed and what
  /// travels has the heads first.
  package var axes: AxisOrder {
    get { isTokensFirst == true ? .tokensFirst : .headsFirst }
    set { isTokensFirst = newValue == .tokensFirst ? true : nil }
  }

  /// The type of dO's elements in the input and on the wire, where gradients are what is computed: dQ, dK and
  /// dV from Q, K, V, dO and the statistics of the rows. Nil for attention. Optional, so that it can be missing.
  package var outputGradient: ElementType?
  package var isBackward: Bool { outputGradient != nil }

  /// Not attention but a rehearsal: a program with all that programs may have, whose arithmetic is a toy.
  /// Of simulations alone: no message carries it.
  package var isRehearsal: Bool {
    get { rehearses == true }
    set { rehearses = newValue ? true : nil }
  }
  /// Optional, so that it can be missing.
  private var rehearses: Bool?

  /// Set where logits aren't left as they are. Optional, so that it can be missing.
  private var shapedLogits: LogitRule?
  /// What becomes of the logits beside their factor.
  package var logits: LogitRule {
    get { shapedLogits ?? .plain }
    set { shapedLogits = newValue.isPlain ? nil : newValue }
  }

  package init(
    batch: Int, queryHeads: Int, keyValueHeads: Int, queryTokens: Int, keyTokens: Int,
    headDimension: Int, element: ElementType, mask: MaskRule, logits: LogitRule = .plain,
    scale: Float, layout: Layout, vranks: Int = 0, hasBatchDimension: Bool = false,
    axes: AxisOrder = .headsFirst
  ) {
    self.batch = batch
    self.queryHeads = queryHeads
    self.keyValueHeads = keyValueHeads
    self.queryTokens = queryTokens
    self.keyTokens = keyTokens
    self.headDimension = headDimension
    self.element = element
    self.mask = mask
    self.scale = scale
    self.layout = layout
    self.vranks = vranks
    self.hasBatchDimension = hasBatchDimension
    self.axes = axes
    self.logits = logits
  }

  /// The shape of query and output with the heads first.
  package var queryShape: [Int] {
    (hasBatchDimension ? [batch] : []) + [queryHeads, queryTokens, headDimension]
  }

  /// Query heads of all sequences. Flattened head h of the queries reads key/value head
  /// h / `queriesPerKeyHead`, also across the batch.
  package var flatQueryHeads: Int { batch * queryHeads }
  /// Key/value heads of all sequences.
  package var flatKeyValueHeads: Int { batch * keyValueHeads }
  /// The most groups of which a mesh of some dozens of ranks has a use; 1 where it has enough query
  /// tiles, since small parts cost messages. And a group is worth them: a tiny job is done before a second
  /// worker has begun.
  package func suitableHeadCuts(blocks: BlockMap? = nil) -> Int {
    // Of a job that can't be, nothing is counted.
    guard problem == nil, queryPlaces < 32 else { return 1 }
    let tiles = queryPlaces
    let work = Int(flops(blocks: blocks)) / Self.operationsPerCut
    let most = min(flatKeyValueHeads, (64 + tiles - 1) / tiles, max(1, work))
    return (1...most).last { flatKeyValueHeads % $0 == 0 } ?? 1
  }

  /// Multiplications and additions of a share that is worth being another's: some tenths of a millisecond.
  private static let operationsPerCut = 16 << 20

  package var queriesPerKeyHead: Int { queryHeads / keyValueHeads }

  package var queryBytes: Int {
    flatQueryHeads * queryTokens * headDimension * element.byteCount
  }
  /// Bytes of K, and as many of V.
  package var keyBytes: Int { flatKeyValueHeads * keyTokens * headDimension * element.byteCount }
  package var inputBytes: Int { inputTensors.reduce(0) { $0 + byteCount($1) } }
  /// Float32 bytes of the output.
  package var outputBytes: Int { flatQueryHeads * queryTokens * headDimension * 4 }
  package var logSumExpBytes: Int { flatQueryHeads * queryTokens * 4 }
  /// What the job takes in the coordinator's store.
  var storeBytes: Int { inputBytes + resultBytes }
  /// Bytes of all tensors of the result.
  package var resultBytes: Int { outputTensors.reduce(0) { $0 + byteCount($1) } }

  /// Which keys each query sees.
  ///
  /// - Parameter blocks: what the job's block map says; nil for what is seen without one.
  package func attentionMask(blocks: BlockMap? = nil) -> AttentionMask {
    mask.mask(queryTokens: queryTokens, keyTokens: keyTokens, map: blocks)
  }

  /// (query, key) pairs of one head that the mask lets through.
  ///
  /// - Parameter head: of the query, where heads have block maps of their own.
  package func visiblePairs(blocks: BlockMap? = nil, head: Int? = nil) -> Int {
    attentionMask(blocks: blocks)
      .pairCount(rows: 0..<queryTokens, keys: 0..<keyTokens, head: head)
  }

  /// Multiplications and additions the mask asks for: of two products 4 · pairs · d · heads, of the five of
  /// gradients 10 · pairs · d · heads.
  package func flops(blocks: BlockMap? = nil) -> Double {
    let perElement: Double = isBackward ? 10 : 4
    guard let blocks, blocks.heads > 1 else {
      return perElement * Double(visiblePairs(blocks: blocks))
        * Double(headDimension * flatQueryHeads)
    }
    let pairs = (0..<queryHeads).reduce(0.0) {
      $0 + Double(visiblePairs(blocks: blocks, head: $1))
    }
    return perElement * pairs * Double(headDimension * batch)
  }
}

extension AttentionJob {
  /// Longest text of `maskText`.
  package static let maskTextBytesMaximum = 255

  /// The mask and what becomes of logits, as people read it.
  package var maskText: String {
    [mask.name, logits.name].compactMap(\.self).joined(separator: ", ")
  }

  /// What is told in lists of jobs: without what may be long.
  var told: AttentionJob {
    var told = self
    told.mask.documents = nil
    told.logits = LogitRule(softcap: logits.softcap)
    return told
  }
}

extension AttentionJob {
  /// Why the job can't be computed, in one line; nil when it can. Checked by the client before
  /// anything is sent and by the coordinator for every submit.
  package var problem: String? {
    let counts = [
      ("batch", batch, Limits.headsMaximum), ("query heads", queryHeads, Limits.headsMaximum),
      ("key/value heads", keyValueHeads, Limits.headsMaximum),
      ("query tokens", queryTokens, Limits.tokensMaximum),
      ("key tokens", keyTokens, Limits.tokensMaximum),
      ("head dimension", headDimension, Limits.headDimensionMaximum),
    ]
    for (name, value, maximum) in counts where !(1...maximum).contains(value) {
      return "\(name) is \(value); it must be 1 to \(maximum)"
    }
    guard queryHeads % keyValueHeads == 0 else {
      return "\(queryHeads) query heads are not a multiple of \(keyValueHeads) key/value heads"
    }
    guard batch * queryHeads <= Limits.headsMaximum else {
      return "batch × query heads is \(batch * queryHeads); at most \(Limits.headsMaximum)"
    }
    guard scale.isFinite else { return "scale is \(scale); it must be a finite number" }
    guard (0...Limits.vranksMaximum).contains(vranks) else {
      return "\(vranks) virtual ranks; at most \(Limits.vranksMaximum)"
    }
    if let problem = strategy.rule.problem(of: self) { return problem }
    if isBackward, layout != .contiguous {
      // A travelling accumulator passes each rank once, in the order of rows.
      return "gradients with the layout \(layout.name); it must be \(Layout.contiguous.name)"
    }
    guard (1...Limits.vranksMaximum).contains(headCuts), flatKeyValueHeads % headCuts == 0 else {
      return "\(flatKeyValueHeads) key/value heads in \(headCuts) equal groups"
    }
    return mask.problem(queryTokens: queryTokens, keyTokens: keyTokens)
      ?? logits.problem(queryHeads: queryHeads) ?? blockMapProblem
  }
}
