import AttentionMasks
import Foundation
import Testing

/// What the flags mean, on the published cases, and what they refuse.
@Suite struct MaskRuleTests {
  /// Keys that each query sees.
  private func rows(_ rule: MaskRule, _ queries: Int, _ keys: Int) -> [[Int]] {
    let mask = rule.mask(queryTokens: queries, keyTokens: keys)
    return (0..<queries).map { query in (0..<keys).filter { mask.sees(query: query, key: $0) } }
  }

  @Test("a window of 4 before sees five keys, and one of 0 the query's own")
  func windows() {
    let four = rows(MaskRule(isCausal: true, left: 4), 16, 16)
    #expect(four == (0..<16).map { Array(max(0, $0 - 4)...$0) })
    #expect(rows(MaskRule(isCausal: true, left: 0), 16, 16) == (0..<16).map { [$0] })
    #expect(rows(MaskRule(isCausal: true, left: 99), 16, 16) == rows(.causal, 16, 16))
    let both = rows(MaskRule(left: 1, right: 2), 6, 6)
    #expect(both == (0..<6).map { Array(max(0, $0 - 1)...min(5, $0 + 2)) })
    // Without a right end, all that follows is seen.
    #expect(rows(MaskRule(left: 1), 4, 4) == [[0, 1, 2, 3], [0, 1, 2, 3], [1, 2, 3], [2, 3]])
  }

  @Test("its name says which side of a query each number is of")
  func names() {
    for (rule, name) in [
      (MaskRule.full, "full"), (.causal, "causal"), (MaskRule(left: 3), "full, window 3 before"),
      (MaskRule(left: 3, right: 2), "full, window 3 before and 2 behind"),
      (MaskRule(right: 2), "full, window 2 behind"),
      (MaskRule(isCausal: true, right: 0), "causal"),
      (
        MaskRule(isCausal: true, left: 0, right: 0, sinkTokens: 1),
        "causal, window 0 before, 1 sink token"
      ),
    ] {
      #expect(rule.name == name)
    }
  }

  @Test("queries stand at the end of their document's keys")
  func positions() {
    #expect(rows(.causal, 2, 5) == [[0, 1, 2, 3], [0, 1, 2, 3, 4]])
    #expect(rows(.causal, 3, 1) == [[], [], [0]])
    let packed = MaskRule(
      isCausal: true, documents: .init(queries: [1, 2, 0, 1], keys: [3, 1, 2, 0]))
    #expect(rows(packed, 4, 6) == [[0, 1, 2], [], [3], []])
  }

  @Test("sinks are the first keys of a document, each seen once")
  func sinks() {
    let rule = MaskRule(isCausal: true, left: 64, sinkTokens: 4)
    let mask = rule.mask(queryTokens: 1_000, keyTokens: 1_000)
    for (row, count) in [(3, 4), (66, 67), (67, 68), (68, 69), (69, 69), (999, 69)] {
      #expect((0..<1_000).count { mask.sees(query: row, key: $0) } == count, "row \(row)")
      #expect(mask.pairCount(rows: row..<row + 1, keys: 0..<1_000) == count, "row \(row)")
    }
    let packed = MaskRule(
      isCausal: true, left: 0, sinkTokens: 1, documents: .init(queries: [2, 3], keys: [2, 3]))
    #expect(rows(packed, 5, 5) == [[0], [0, 1], [2], [2, 3], [2, 4]])
  }

  @Test(
    "what can't be is refused with its numbers",
    arguments: [
      (MaskRule(left: -1), "-1 keys before a query are seen"),
      (MaskRule(left: 1, right: -3), "-3 keys behind a query are seen"),
      (MaskRule(left: 1, sinkTokens: -2), "-2 sink tokens are seen"),
      (MaskRule(isCausal: true, left: 4, right: 4), "a window of 4 keys behind"),
      (MaskRule(sinkTokens: 4), "4 sink tokens without a window"),
      (MaskRule(blocks: .init(queries: 0, keys: 64)), "blocks of 0 × 64"),
      (
        MaskRule(documents: .init(queries: [4, 3], keys: [10])),
        "2 documents of queries and 1 of keys"
      ),
      (MaskRule(documents: .init(queries: [], keys: [])), "0 documents"),
      (
        MaskRule(documents: .init(queries: [4, 3], keys: [5, 5])),
        "add up to 7 queries, and the tensor has 10"
      ),
      (
        MaskRule(documents: .init(queries: [5, 5], keys: [11, -1])),
        "a document of 11 keys, where there are 10"
      ),
      (
        MaskRule(documents: .init(queries: [Int.max, 1], keys: [5, 5])),
        "a document of \(Int.max) queries"
      ),
    ])
  func refusals(rule: MaskRule, reason: String) {
    let problem = rule.problem(queryTokens: 10, keyTokens: 10)
    #expect(problem?.contains(reason) == true, "\(problem ?? "no problem")")
  }

  @Test("full and causal are the numbers that earlier versions wrote, and others are whole")
  func storedForms() throws {
    func text(_ rule: MaskRule) throws -> String {
      String(decoding: try JSONEncoder().encode([rule]), as: UTF8.self)
    }
    #expect(try text(.full) == "[1]" && text(.causal) == "[2]")
    var rule = MaskRule(isCausal: true, left: 3, sinkTokens: 4)
    for documents in [nil, MaskRule.Documents(queries: [1, 0, 2], keys: [0, 3, 0])] {
      rule.documents = documents
      for rule in [rule, .full, .causal, MaskRule(right: 0)] {
        let data = try JSONEncoder().encode([rule])
        #expect(try JSONDecoder().decode([MaskRule].self, from: data) == [rule])
      }
    }
    for wrong in ["[0]", "[3]", "[-1]", "[{}]", "[\"full\"]"] {
      #expect(throws: DecodingError.self) {
        try JSONDecoder().decode([MaskRule].self, from: Data(wrong.utf8))
      }
    }
  }
}
