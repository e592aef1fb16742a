import AttentionMasks
import Testing

@Suite struct NeededKeysTests {
  @Test(
    "needed keys and counted pairs are those of the definition, for masks of all kinds together")
  func definition() {
    for seed in 0..<400 as Range<UInt64> {
      let (mask, name) = Self.dealt(seed)
      let (queries, keys) = (mask.queryCount, mask.keyCount)
      var random = SplitMix64(seed: ~seed)
      for _ in 0..<4 {
        let first = Int.random(in: 0...queries, using: &random)
        let rows = first..<Int.random(in: first...queries, using: &random)
        let seen = (0..<keys).filter { key in
          rows.contains { mask.sees(query: $0, key: key) }
        }
        #expect(Array(mask.neededKeys(rows: rows)) == seen, "\(rows) of \(name)")
        #expect(mask.lastNeededKey(rows: rows) == seen.last, "\(rows) of \(name)")
        let tiles = Set(seen.map { $0 / 7 }).sorted()
        #expect(Array(mask.neededTiles(rows: rows, of: 7)) == tiles, "\(rows) of \(name)")
        for head in [nil, 0, 1] {
          let pairs = rows.reduce(0) { total, row in
            total + (0..<keys).count { mask.sees(query: row, key: $0, head: head) }
          }
          #expect(mask.pairCount(rows: rows, keys: 0..<keys, head: head) == pairs, "\(name)")
        }
      }
    }
  }

  @Test("the queries near keys are those that see any of them, and without a map no others")
  func near() {
    for seed in 0..<400 as Range<UInt64> {
      let (mask, name) = Self.dealt(seed)
      var random = SplitMix64(seed: seed &* 77)
      for _ in 0..<4 {
        let first = Int.random(in: 0...mask.keyCount, using: &random)
        let keys = first..<Int.random(in: first...mask.keyCount, using: &random)
        let seeing = (0..<mask.queryCount).filter { query in
          keys.contains { mask.sees(query: query, key: $0) }
        }
        let near = mask.queries(near: keys)
        #expect(seeing.allSatisfy(near.contains), "\(keys) of \(name)")
        if mask.blocks == nil { #expect(Array(near) == seeing, "\(keys) of \(name)") }
      }
    }
  }

  /// Any combination, with documents of no token, and maps that end before the tokens do.
  private static func dealt(_ seed: UInt64) -> (AttentionMask, String) {
    var random = SplitMix64(seed: seed)
    func maybe(_ range: ClosedRange<Int>) -> Int? {
      Bool.random(using: &random) ? Int.random(in: range, using: &random) : nil
    }
    let (queries, keys) = (
      Int.random(in: 1...70, using: &random), Int.random(in: 1...90, using: &random)
    )
    func lengths(_ total: Int, _ parts: Int) -> [Int] {
      let cuts = (1..<parts).map { _ in Int.random(in: 0...total, using: &random) }.sorted()
      return zip([0] + cuts, cuts + [total]).map { $1 - $0 }
    }
    let parts = Int.random(in: 1...6, using: &random)
    let documents = MaskRule.Documents(queries: lengths(queries, parts), keys: lengths(keys, parts))
    let isCausal = Bool.random(using: &random)
    let left = maybe(0...40)
    let rule = MaskRule(
      isCausal: isCausal, left: left, right: isCausal ? nil : maybe(0...20),
      sinkTokens: left == nil ? 0 : Int.random(in: 0...9, using: &random),
      documents: parts > 1 ? documents : nil)
    #expect(rule.problem(queryTokens: queries, keyTokens: keys) == nil)
    var map: BlockMap?
    if Int.random(in: 0..<3, using: &random) == 0 {
      let (rows, columns) = (5, Int.random(in: 0...20, using: &random))
      let heads = Int.random(in: 1...2, using: &random)
      map = BlockMap(
        queries: Int.random(in: 1...16, using: &random),
        keys: Int.random(in: 1...16, using: &random),
        heads: heads, rows: rows, columns: columns,
        cells: (0..<heads * rows * columns).map { _ in Bool.random(using: &random) })
    }
    return (rule.mask(queryTokens: queries, keyTokens: keys, map: map), "seed \(seed)")
  }

  @Test("a million tokens are counted without going through them")
  func large() {
    let tokens = 1 << 24
    let causal = MaskRule.causal.mask(queryTokens: tokens, keyTokens: tokens)
    #expect(causal.pairCount(rows: 0..<tokens, keys: 0..<tokens) == tokens * (tokens + 1) / 2)
    let window = MaskRule(isCausal: true, left: 1_023).mask(queryTokens: tokens, keyTokens: tokens)
    #expect(
      window.pairCount(rows: 0..<tokens, keys: 0..<tokens) == tokens * 1_024 - 1_023 * 1_024 / 2)
    #expect(
      window.neededKeys(rows: 1 << 20..<(1 << 20) + 64).ranges == [
        (1 << 20) - 1_023..<(1 << 20) + 64
      ])
  }
}
