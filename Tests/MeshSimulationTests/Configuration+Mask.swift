import AttentionKernels
import MeshCore

/// Masks and logits of any kind, in any combination.
extension Configuration {
  mutating func drawMask(_ random: inout SplitMix64) {
    let longest = max(job.queryTokens, job.keyTokens)
    func tokens(_ random: inout SplitMix64) -> Int {
      random.below(4) == 0 ? random.below(3) : random.logUniform(longest)
    }
    var rule = MaskRule(isCausal: job.mask.isCausal)
    if random.below(2) == 0 {
      rule.left = tokens(&random)
      if random.below(2) == 0 { rule.sinkTokens = 1 + random.below(300) }
    }
    if !rule.isCausal, random.below(2) == 0 { rule.right = tokens(&random) }
    if random.below(2) == 0 {
      let count = 1 + random.logUniform(24)
      rule.documents = MaskRule.Documents(
        queries: Self.cut(job.queryTokens, into: count, &random),
        keys: Self.cut(job.keyTokens, into: count, &random))
    }
    if random.below(3) == 0 {
      rule.blocks = MaskRule.Block(
        queries: random.logUniform(2 * job.queryTokens), keys: random.logUniform(2 * job.keyTokens),
        isPerHead: random.below(2) == 0)
    }
    job.mask = rule
    if random.below(4) == 0 { job.logits.softcap = random.below(2) == 0 ? 2 : 30 }
    if random.below(4) == 0 {
      job.logits.alibiSlopes = ALiBiSlopes.standard(heads: job.queryHeads)
    }
    if random.below(4) == 0 {
      job.logits.sinkLogits = (0..<job.queryHeads).map { _ in
        Float(random.below(2_001) - 1_000) / 200
      }
    }
  }

  /// Lengths of documents, also of none, that add up.
  static func cut(_ tokens: Int, into count: Int, _ random: inout SplitMix64) -> [Int] {
    let cuts = (1..<count).map { _ in random.below(tokens + 1) }.sorted()
    return zip([0] + cuts, cuts + [tokens]).map { $1 - $0 }
  }
}
