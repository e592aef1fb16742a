import AttentionKernels
import AttentionMasks
import ElementTypes
import MeshCore

/// A job with a mask drawn at random, of any kind and in any combination: its tensors, the flags that
/// describe it, and what the reference goes by.
struct MaskedJob: CustomStringConvertible {
  let workers: Int
  /// What is computed.
  let rowFlags: [String]
  /// The same, and how a mesh shares it out.
  let flags: [String]
  let check: ReferenceCheck
  let description: String

  /// Whether every query tile, and so every rank, sees some key.
  var everyRankFolds: Bool {
    let tokens = check.mask.queryCount
    return stride(from: 0, to: tokens, by: Plan.queryTileRows).allSatisfy { row in
      check.mask.lastNeededKey(rows: row..<min(row + Plan.queryTileRows, tokens)) != nil
    }
  }

  /// Writes its tensors, and what its mask reads, to `scratch`.
  ///
  /// - Parameter workers: there are at least as many query tiles, so that each of them has rows.
  init(_ scratch: Scratch, workers: Int, seed: UInt64) throws {
    self.workers = workers
    var random = SplitMix64(seed: seed)
    func coin(_ random: inout SplitMix64) -> Bool { Bool.random(using: &random) }
    let keyHeads = Int.random(in: 1...2, using: &random)
    var shape = RandomJob(
      workers: workers, heads: keyHeads * Int.random(in: 1...2, using: &random),
      keyHeads: keyHeads,
      tokens: workers * Plan.queryTileRows + Int.random(in: 0...700, using: &random),
      headDimension: Int.random(in: 1...40, using: &random), mask: "full")
    if coin(&random) { shape.keyTokens = random.logUniform(32...1_500) }
    if coin(&random) { shape.batch = 2 }
    shape.element = ElementType.allCases.randomElement(using: &random) ?? .float32
    let tensors = shape.tensors(seed: seed)

    let (rule, logits) = Self.draw(shape, &random)
    let cells = rule.blocks.map { block in
      BlockCells(
        queries: block.queries, keys: block.keys, of: shape.queryTokens, shape.keyTokens,
        heads: block.isPerHead ? shape.queryHeads : nil, seed: seed)
    }
    var flags = try tensors.write(to: scratch, format: "safetensors")
    flags += Self.flags(rule) + (cells?.write(to: scratch) ?? [])
    flags += try Self.flags(logits, scratch)
    let layout = Layout.allCases.randomElement(using: &random) ?? .contiguous
    rowFlags = flags
    self.flags = flags + ["--layout", layout.name]
    check = ReferenceCheck(tensors, rule, logits, blocks: cells?.map)
    description = """
      seed \(seed): \(workers) workers, heads \(shape.queryHeads)/\(keyHeads), tokens \
      \(shape.queryTokens)/\(shape.keyTokens), d \(shape.headDimension), \(shape.element.name), \
      \(rule.name), softcap \(logits.softcap ?? 0), \(logits.alibiSlopes.count) slopes, \
      \(logits.sinkLogits.count) sink logits, \(layout.name)
      """
  }

  private static func draw(
    _ job: RandomJob, _ random: inout SplitMix64
  ) -> (MaskRule, LogitRule) {
    func coin() -> Bool { Bool.random(using: &random) }
    var rule = MaskRule(isCausal: coin())
    if coin() {
      rule.left = random.logUniform(1...job.keyTokens)
      if coin() { rule.sinkTokens = random.logUniform(1...300) }
    }
    if !rule.isCausal, coin() { rule.right = random.logUniform(1...job.keyTokens) }
    if coin() {
      let count = Int.random(in: 1...6, using: &random)
      rule.documents = MaskRule.Documents(
        queries: cut(job.queryTokens, into: count, &random),
        keys: cut(job.keyTokens, into: count, &random))
    }
    if coin() {
      rule.blocks = MaskRule.Block(
        queries: Int.random(in: 16...200, using: &random),
        keys: Int.random(in: 16...200, using: &random), isPerHead: coin())
    }
    var logits = LogitRule()
    if coin() { logits.softcap = Float(random.logUniform(1...30)) }
    if coin() { logits.alibiSlopes = ALiBiSlopes.standard(heads: job.queryHeads) }
    if coin() { logits.sinkLogits = (0..<job.queryHeads).map { _ in Float(random.normal()) } }
    return (rule, logits)
  }

  /// Lengths of documents, also of none, that add up.
  private static func cut(
    _ tokens: Int, into count: Int, _ random: inout SplitMix64
  ) -> [Int] {
    let cuts = (1..<count).map { _ in Int.random(in: 0...tokens, using: &random) }.sorted()
    return zip([0] + cuts, cuts + [tokens]).map { $1 - $0 }
  }

  private static func flags(_ rule: MaskRule) -> [String] {
    func text(_ lengths: [Int]) -> String { lengths.map(String.init).joined(separator: ",") }
    var flags = ["--mask", rule.isCausal ? "causal" : "full"]
    if rule.left != nil || rule.right != nil {
      let sides = [rule.left, rule.right].map { $0.map(String.init) ?? "all" }
      flags += ["--window", sides.joined(separator: ",")]
    }
    if rule.sinkTokens > 0 { flags += ["--sink-tokens", "\(rule.sinkTokens)"] }
    if let documents = rule.documents {
      flags += ["--documents", text(documents.queries), "--key-documents", text(documents.keys)]
    }
    return flags
  }

  private static func flags(_ logits: LogitRule, _ scratch: Scratch) throws -> [String] {
    var flags: [String] = []
    if let softcap = logits.softcap { flags += ["--softcap", "\(softcap)"] }
    if !logits.alibiSlopes.isEmpty { flags.append("--alibi") }
    if !logits.sinkLogits.isEmpty {
      try Data1D.write(logits.sinkLogits, to: scratch.file("sinks.npy"))
      flags += ["--sink-logits", scratch.file("sinks.npy")]
    }
    return flags
  }
}
