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
      Packed documents that don't see each other: their lengths, as 100,200,50, or a text file of them. \
      They add up to the tokens.
      """, valueName: "lengths|file"))
  var documents: String?

  @Option(
    help: ArgumentHelp(
      "Lengths of the documents' keys, where they aren't those of the queries.",
      valueName: "lengths|file"))
  var keyDocuments: String?

  @Option(help: "Logits x become softcap · tanh(x / softcap), before any slope.")
  var softcap: Float?

  @Option(
    help: ArgumentHelp(
      """
      ALiBi: slope · |distance| is subtracted from logits. Alone the standard slopes, or those of a \
      tensor of one number for each query head.
      """, valueName: "file"))
  var alibi: String?

  @Option(
    help: ArgumentHelp(
      """
      A tensor of one learnt logit for each query head, that takes weight and has no value (as in \
      gpt-oss). The log-sum-exp counts it.
      """, valueName: "file"))
  var sinkLogits: String?

  /// The mask, before it is known whether the tensors fit it.
  func rule() throws(MeshError) -> MaskRule {
    let base = try choice(mask, "--mask", of: [MaskRule.full, .causal], named: \.name)
    let sides = try window.map { text throws(MeshError) in try Self.sides(text) }
    if let sinkTokens, sinkTokens < 0 {
      throw MeshError(.badInput, "--sink-tokens \(sinkTokens): it must be 0 or more")
    }
    return MaskRule(
      isCausal: base.isCausal, left: sides?.left, right: sides?.right, sinkTokens: sinkTokens ?? 0,
      documents: try packed())
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

  private func packed() throws(MeshError) -> MaskRule.Documents? {
    guard let documents else {
      if keyDocuments == nil { return nil }
      throw MeshError(.badInput, "--key-documents without --documents: give both")
    }
    let queries = try Lengths(documents, flag: "--documents").values
    return MaskRule.Documents(
      queries: queries,
      keys: try keyDocuments.map { text throws(MeshError) in
        try Lengths(text, flag: "--key-documents").values
      } ?? queries)
  }

  /// What becomes of logits; slopes and sink logits are read here.
  func logits() throws(MeshError) -> JobInputs.Logits {
    if let softcap, !LogitRule.softcaps.contains(softcap) {
      throw MeshError(
        .badInput, "--softcap \(softcap): it must be a number above 0 (1e-30 to 1e30)")
    }
    let isStandard = alibi == CommandLineArguments.standardSlopes
    return JobInputs.Logits(
      softcap: softcap,
      slopes: isStandard ? .standard : alibi.map { .tensor($0) } ?? .none, sinks: sinkLogits)
  }
}
