import MeshCore

extension MaskRule {
  /// Any mask of these tokens: windows, sinks and documents in all combinations.
  static func any(queries: Int, keys: Int, _ random: inout SplitMix64) -> MaskRule {
    var rule = MaskRule(isCausal: random.below(2) == 0)
    if random.below(2) == 0 {
      rule.left = random.below(keys)
      rule.sinkTokens = random.below(2) * random.below(keys)
    }
    if !rule.isCausal, random.below(2) == 0 { rule.right = random.below(keys) }
    if random.below(2) == 0 {
      let count = 1 + random.below(9)
      func lengths(_ tokens: Int) -> [Int] {
        let cuts = (1..<count).map { _ in random.below(tokens + 1) }.sorted()
        return zip([0] + cuts, cuts + [tokens]).map { $1 - $0 }
      }
      rule.documents = Documents(queries: lengths(queries), keys: lengths(keys))
    }
    return rule
  }
}
