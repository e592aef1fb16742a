internal import ArgumentParser
internal import MeshCore
internal import MeshRuntime

/// Which keys a query sees, and what becomes of its logits: everything may be combined.
struct MaskOptions: ParsableArguments {
  @Option(
    help: """
      Which keys a query sees: full, or causal, those up to its own position. The last query of a \
      document stands at its last key.
      """)
  var mask = "full"

  @Option(
    help: ArgumentHelp(
      """
      Keys before its own position, and behind it, that a query sees; its own isn't counted: a model's \
      window of 4,096 is 4095. Without RIGHT, or with "all", there is no bound.
      """, valueName: "left[,right]"))
  var window: String?

  @Option(
    help: """
      First keys of a document that are seen however far before the window they are (StreamingLLM).
      """)
  var sinkTokens: Int?

  @Option(
    help: ArgumentHelp(
      """
      Packed documents that don't see each other: their lengths, as 100,200,50, or a text file of them, \
      or - for standard input. They add up to the tokens. A file that is called 50 is ./50.
      """, valueName: "lengths|file"))
  var documents: String?

  @Option(
    help: ArgumentHelp(
      "Lengths of the documents' keys, where they aren't those of the queries.",
      valueName: "lengths|file"))
  var keyDocuments: String?

  @Option(
    help: ArgumentHelp(
      """
      Blocks of queries × keys that are seen at all, of the pairs that the other flags let through: a .npy \
      file of bool or uint8 (0 is not seen), [ceil(queries / Q), ceil(keys / K)], or [query heads, \
      …, …] with a map for each query head. Blocks are counted from the first query and the first key \
      of the tensor, whatever documents there are; all sequences of a batch have the same map.
      """, valueName: "file"))
  var blockMap: String?

  @Option(
    help: ArgumentHelp(
      "Queries and keys of a block of the block map, each 1 or more; as 64,64.", valueName: "q,k"))
  var blockSize: String?

  @Option(help: "Logits x become softcap · tanh(x / softcap), before any slope.")
  var softcap: Float?

  @Option(
    help: ArgumentHelp(
      """
      ALiBi: slope · |distance| is subtracted from logits. Alone the standard slopes, or those of a \
      tensor of one number for each query head. A pipe that is called standard is ./standard.
      """, valueName: "file"))
  var alibi: String?

  @Option(
    help: ArgumentHelp(
      """
      A tensor of one learnt logit for each query head, that takes weight and has no value (as in \
      gpt-oss). The log-sum-exp counts it.
      """, valueName: "file"))
  var sinkLogits: String?

  /// The tensors among them.
  var tensors: [(flag: String, text: String)] {
    let files = [
      ("--block-map", blockMap), ("--alibi", isStandard ? nil : alibi),
      ("--sink-logits", sinkLogits),
    ]
    return files.compactMap { flag, text in text.map { (flag, $0) } }
  }

  /// All that is read.
  var sources: [(flag: String, text: String)] {
    let lengths = [("--documents", documents), ("--key-documents", keyDocuments)]
    return tensors + lengths.compactMap { flag, text in text.map { (flag, $0) } }
  }

  private var isStandard: Bool { alibi == CommandLineArguments.standardSlopes }

  /// The mask, before it is known whether the tensors fit it.
  ///
  /// - Parameter refuse: told each reason to refuse it. What is refused is left out, and so is what would
  ///   make no sense without it.
  func rule(
    refuse: (String) throws(MeshError) -> Void
  ) throws(MeshError) -> MaskRule {
    var rule = try checked(.full, refuse: refuse) { () throws(MeshError) in
      try choice(mask, "--mask", of: [MaskRule.full, .causal], named: \.name)
    }
    rule.sinkTokens = sinkTokens ?? 0
    if rule.sinkTokens < 0 {
      try refuse("--sink-tokens \(rule.sinkTokens): it must be 0 or more")
      rule.sinkTokens = 0
    }
    if let window {
      do throws(MeshError) {
        (rule.left, rule.right) = try Self.sides(window)
      } catch {
        try refuse(error.message)
        rule.sinkTokens = 0
      }
    }
    rule.documents = try packed(refuse: refuse)
    rule.blocks = try checked(nil, refuse: refuse) { () throws(MeshError) in try blocks() }
    return rule
  }

  private func blocks() throws(MeshError) -> MaskRule.Block? {
    guard let blockSize else {
      if blockMap == nil { return nil }
      throw MeshError(.badInput, "--block-map without --block-size: give both")
    }
    guard blockMap != nil else {
      throw MeshError(.badInput, "--block-size without --block-map: give both")
    }
    let sizes = blockSize.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
    guard sizes.count == 2, let queries = sizes[0], let keys = sizes[1] else {
      throw MeshError(
        .badInput, "--block-size \(printable(blockSize)): it is Q,K, as 64,64")
    }
    let block = MaskRule.Block(queries: queries, keys: keys)
    if let problem = block.problem {
      throw MeshError(.badInput, "--block-size \(printable(blockSize)): \(problem)")
    }
    return block
  }

  private static func sides(_ text: String) throws(MeshError) -> (left: Int?, right: Int?) {
    let words = text.split(separator: ",", omittingEmptySubsequences: false)
    let sides = words.map { word in word == "all" ? nil : Int(word) }
    guard (1...2).contains(words.count),
      zip(words, sides).allSatisfy({ $0 == "all" || ($1 ?? -1) >= 0 })
    else {
      throw MeshError(
        .badInput,
        "--window \(printable(text)): it is LEFT or LEFT,RIGHT, each a number of keys or all")
    }
    return (sides[0], sides.count == 2 ? sides[1] : nil)
  }

  private func packed(
    refuse: (String) throws(MeshError) -> Void
  ) throws(MeshError) -> MaskRule.Documents? {
    func lengths(_ text: String, _ flag: String) throws(MeshError) -> [Int]? {
      try checked(nil, refuse: refuse) { () throws(MeshError) in
        try Lengths(text, flag: flag, waiting: { Attnmesh.complain($0) }).values
      }
    }
    guard let documents else {
      if keyDocuments != nil { try refuse("--key-documents without --documents: give both") }
      return nil
    }
    let queries = try lengths(documents, "--documents")
    let keys =
      try keyDocuments.map { text throws(MeshError) in try lengths(text, "--key-documents") }
      ?? queries
    guard let queries, let keys else { return nil }
    return MaskRule.Documents(queries: queries, keys: keys)
  }

  /// What becomes of logits; slopes and sink logits are read with the other tensors.
  func logits(
    refuse: (String) throws(MeshError) -> Void
  ) throws(MeshError) -> JobInputs.Logits {
    var logits = JobInputs.Logits(
      softcap: softcap,
      slopes: isStandard ? .standard : alibi.map { .tensor($0) } ?? .none, sinks: sinkLogits)
    if let softcap, !LogitRule.softcaps.contains(softcap) {
      try refuse("--softcap \(softcap): it must be a number above 0 (1e-30 to 1e30)")
      logits.softcap = nil
    }
    return logits
  }
}
