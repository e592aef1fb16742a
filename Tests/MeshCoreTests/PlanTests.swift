import MeshCore
import Testing

/// Every plan of small jobs, against what the mask says when it is asked for each pair.
@Suite struct PlanTests {
  @Test("each tile is dealt to exactly one rank, evenly", arguments: Layout.allCases)
  func dealing(layout: Layout) {
    for tokens in 1...700 {
      for ranks in 1...9 {
        // As many K/V tiles as query tiles, so that both grids are dealt in all small numbers.
        let job = sampleJob(queries: tokens, keys: 4 * tokens, layout: layout)
        let plan = Plan(job: job, vrankCount: ranks)
        let problem = dealingProblem(plan)
        #expect(problem == nil, "\(tokens) tokens, \(ranks) ranks")
      }
    }
  }

  private func dealingProblem(_ plan: Plan) -> String? {
    let queries = plan.vranks.map(plan.queryTiles(of:))
    let keys = plan.vranks.map(plan.keyTiles(of:))
    for (vrank, tiles) in zip(plan.vranks, queries) {
      for tile in tiles where plan.holder(ofQueryTile: tile) != vrank { return "holder of \(tile)" }
      if tiles.isEmpty { return "rank \(vrank) has no rows" }
    }
    for (vrank, tiles) in zip(plan.vranks, keys) {
      for tile in tiles where plan.owner(of: .keyValue(tile)) != vrank { return "owner of \(tile)" }
    }
    if (0..<plan.queryTileCount).contains(where: { plan.queryRows(of: $0).isEmpty }) {
      return "an empty query tile"
    }
    return partitionProblem(queries, count: plan.queryTileCount, plan.job.layout)
      ?? partitionProblem(keys, count: plan.keyTileCount, plan.job.layout)
  }

  private func partitionProblem(_ shards: [[Int]], count: Int, _ layout: Layout) -> String? {
    var seen = [Int](repeating: 0, count: count)
    for tile in shards.joined() { seen[tile] += 1 }
    if seen.contains(where: { $0 != 1 }) { return "dealt \(seen)" }
    if shards.contains(where: { $0 != $0.sorted() }) { return "not ascending: \(shards)" }
    let sizes = shards.map(\.count)
    if (sizes.max() ?? 0) - (sizes.min() ?? 0) > 1 { return "sizes \(sizes)" }
    switch layout {
    case .contiguous:
      if sizes != sizes.sorted() { return "a larger shard before a smaller: \(sizes)" }
    case .zigzag:
      // The low runs go up, the high ones down; a rank's two may have met.
      let lows = shards.compactMap(\.first)
      if lows != lows.sorted() && count >= 2 * shards.count { return "low runs \(lows)" }
    case .striped:
      for (rank, tiles) in shards.enumerated()
      where tiles.contains(where: { $0 % shards.count != rank }) {
        return "rank \(rank) has \(tiles)"
      }
    }
    return nil
  }

  @Test("zigzag pairs run r with run 2P − 1 − r, larger runs last")
  func zigzagRuns() {
    // 11 tiles in 6 runs: 1, 2, 2, 2, 2, 2.
    let plan = Plan(job: sampleJob(queries: 11 * 64, layout: .zigzag), vrankCount: 3)
    #expect(plan.vranks.map(plan.queryTiles(of:)) == [[0, 9, 10], [1, 2, 7, 8], [3, 4, 5, 6]])
  }

  @Test(
    "needed tiles and visible pairs are what the mask says", arguments: [MaskRule.full, .causal])
  func needs(mask: MaskRule) {
    var random = SplitMix64(seed: 11)
    for queries in 1...700 {
      for keys in [queries, 1 + random.below(700)] {
        let twin = MaskTwin(mask: mask, queries: queries, keys: keys)
        for layout in Layout.allCases {
          let job = sampleJob(queries: queries, keys: keys, mask: mask, layout: layout)
          let ranks = 1 + random.below(9)
          let problem = twin.problem(with: Plan(job: job, vrankCount: ranks))
          #expect(problem == nil, "\(queries) queries, \(keys) keys, \(layout), \(ranks) ranks")
        }
      }
    }
  }

  @Test("whatever the mask, needed tiles and visible pairs are what it says", arguments: 1...120)
  func anyMask(seed: Int) {
    var random = SplitMix64(seed: UInt64(seed))
    let (queries, keys) = (1 + random.below(900), 1 + random.below(900))
    let mask = MaskRule.any(queries: queries, keys: keys, &random)
    let twin = MaskTwin(mask: mask, queries: queries, keys: keys)
    for layout in Layout.allCases {
      let job = sampleJob(queries: queries, keys: keys, mask: mask, layout: layout)
      let problem = twin.problem(with: Plan(job: job, vrankCount: 1 + random.below(9)))
      #expect(problem == nil, "\(mask), \(queries) queries, \(keys) keys, \(layout)")
    }
  }

  @Test(
    "a copy leaves out messages that no later step changes, whatever the mask", arguments: 1...30,
    Layout.allCases)
  func settled(seed: Int, layout: Layout) {
    var random = SplitMix64(seed: UInt64(seed))
    let (queries, keys) = (600 + random.below(900), 1 + random.below(2_000))
    let mask = MaskRule.any(queries: queries, keys: keys, &random)
    let job = sampleJob(queries: queries, keys: keys, mask: mask, layout: layout)
    let plan = Plan(job: job, vrankCount: 1 + random.below(3))
    let twin = MaskTwin(mask: mask, queries: queries, keys: keys)
    for vrank in plan.vranks {
      let (tiles, steps) = (plan.queryTiles(of: vrank), plan.neededKeyTiles(of: vrank))
      /// Steps after the last that changes one of the first `count` query tiles.
      func changed(_ count: Int) -> Int {
        let needed = tiles.prefix(count).flatMap { tile in
          steps.filter { twin.sees[tile][$0] }
        }
        return needed.max().flatMap { steps.place(of: $0) }.map { $0 + 1 } ?? 0
      }
      for base in 0...steps.count {
        let first = plan.firstMessage(of: vrank, changedSince: base) / plan.resultPartCount
        let most = base == 0 ? 0 : (0...tiles.count).last { changed($0) <= base }
        #expect(first == most, "\(mask), rank \(vrank) after \(base)")
        for later in base...steps.count {
          for place in tiles.indices {
            let isSame = base == later || changed(place + 1) <= base
            #expect(plan.isCurrent(queryTile: tiles[place], madeAt: base, in: later) == isSame)
          }
        }
      }
    }
  }

  @Test(
    "shares are groups of heads of some tokens, as the strategy cuts them", arguments: 1...80,
    Strategy.allCases)
  func shares(seed: Int, strategy: Strategy) {
    var random = SplitMix64(seed: UInt64(seed))
    let (group, cuts) = (1 + random.below(3), 1 + random.below(12))
    let keyHeads = cuts * (1 + random.below(3))
    var job = sampleJob(
      heads: keyHeads * group, keyHeads: keyHeads, queries: 1 + random.below(500),
      keys: 1 + random.below(2_000), dimension: 1 + random.below(200),
      layout: Layout.allCases[seed % 3])
    job.headCuts = cuts
    job.strategy = strategy
    let plan = Plan(job: job, vrankCount: 1 + random.below(40))
    let places = (job.queryTokens + 63) / 64
    #expect(cuts % plan.headGroups == 0)
    if strategy == .auto {
      #expect(plan.headGroups == 1 || plan.vrankCount == places * plan.headGroups)
    }
    #expect(Plan(job: job, vrankCount: plan.vrankCount).vrankCount == plan.vrankCount)
    // Every row of every head is one rank's, and so is every key.
    var rows = [[VRank]](repeating: [], count: job.flatQueryHeads * job.queryTokens)
    var keys = [[VRank]](repeating: [], count: job.flatKeyValueHeads * job.keyTokens)
    for vrank in plan.vranks {
      for tile in plan.queryTiles(of: vrank) {
        #expect(plan.holder(ofQueryTile: tile) == vrank)
        for part in 0..<plan.partCount(.query) {
          for head in plan.heads(of: .query(tile), part: part) {
            for row in plan.queryRows(of: tile) { rows[head * job.queryTokens + row].append(vrank) }
          }
        }
        let heads = (0..<plan.resultPartCount).flatMap {
          Array(plan.resultHeads(queryTile: tile, part: $0))
        }
        let first = plan.firstHead(of: .query(tile))
        #expect(heads == Array(first..<first + plan.headCount(.query)))
      }
      for tile in plan.keyTiles(of: vrank) {
        #expect(plan.owner(of: .keyValue(tile)) == vrank)
        for part in 0..<plan.partCount(.keyValue) {
          let stored = plan.storedPart(of: .keyValue(tile), part: part)
          let whole = Plan(job: job, vrankCount: 1)
          let heads = plan.heads(of: .keyValue(tile), part: part)
          #expect(heads == whole.heads(of: .keyValue(stored.place), part: stored.part))
          for (index, head) in heads.enumerated() {
            #expect(plan.part(ofHead: head, in: .keyValue(tile)) == (part, index))
          }
          for head in heads {
            for key in plan.keys(of: tile) { keys[head * job.keyTokens + key].append(vrank) }
          }
        }
      }
      // What a rank needs are tiles of its own heads.
      let own = plan.queryTiles(of: vrank).first.map { plan.firstHead(of: .query($0)) / group }
      #expect(
        plan.neededKeyTiles(of: vrank).allSatisfy {
          plan.firstHead(of: .keyValue($0)) == own && plan.neededKeyTiles(of: vrank).contains($0)
        })
    }
    #expect(rows.allSatisfy { $0.count == 1 } && keys.allSatisfy { $0.count == 1 })
  }

  @Test("heads are cut where that is worth it, and of a job that can't be nothing is counted")
  func worthCutting() {
    var job = sampleJob(heads: 128, keyHeads: 128, queries: 64, dimension: 64, mask: .full)
    job.batch = 8
    #expect(job.suitableHeadCuts() == 64)
    job.batch = 1
    #expect(job.suitableHeadCuts() == 8, "134 million operations")
    job.keyTokens = 1
    #expect(job.suitableHeadCuts() == 1)
    job.queryTokens = 2_048
    #expect(job.suitableHeadCuts() == 1, "there are query tiles enough")
    job.queryTokens = 64
    job.mask.documents = MaskRule.Documents(queries: [64], keys: [])
    #expect(job.suitableHeadCuts() == 1)
  }

  @Test("rows that see no key need no tile")
  func rowsWithoutKeys() {
    let plan = Plan(job: sampleJob(queries: 300, keys: 10), vrankCount: 5)
    #expect(plan.vranks.map { Array(plan.neededKeyTiles(of: $0)) } == [[], [], [], [], [0]])
    #expect(plan.job.visiblePairs() == 55)
  }

  @Test("causal zigzag shares the work equally", arguments: [2, 4, 8])
  func balance(ranks: Int) throws {
    let plan = Plan(job: sampleJob(queries: 8_192, layout: .zigzag), vrankCount: ranks)
    let work = plan.vranks.map { Double(plan.visiblePairs(of: $0)) }
    let mean = work.reduce(0, +) / Double(ranks)
    let most = try #require(work.max())
    #expect(most / mean <= 1.02, "\(work)")
    #expect(work.reduce(0, +) == Double(plan.job.visiblePairs()))
  }
}

/// The mask, asked for every (query, key).
struct MaskTwin {
  /// Per query tile: whether some row sees some key of each K/V tile, and how many pairs are seen.
  var sees: [[Bool]]
  var pairs: [Int]

  init(mask: MaskRule, queries: Int, keys: Int) {
    sees = Array(
      repeating: Array(repeating: false, count: (keys + 255) / 256), count: (queries + 63) / 64)
    pairs = Array(repeating: 0, count: sees.count)
    let definition = mask.mask(queryTokens: queries, keyTokens: keys)
    // The two that everybody uses by themselves, the others by the definition of each pair.
    func isSeen(_ query: Int, _ key: Int) -> Bool {
      if mask == .full { return true }
      if mask == .causal { return key <= query + keys - queries }
      return definition.sees(query: query, key: key)
    }
    for query in 0..<queries {
      for key in 0..<keys where isSeen(query, key) {
        sees[query / 64][key / 256] = true
        pairs[query / 64] += 1
      }
    }
  }

  func problem(with plan: Plan) -> String? {
    for vrank in plan.vranks {
      let tiles = plan.queryTiles(of: vrank)
      let seen = (0..<plan.keyTileCount).filter { key in tiles.contains { sees[$0][key] } }
      if seen != Array(plan.neededKeyTiles(of: vrank)) { return "rank \(vrank) sees \(seen)" }
      let counted = tiles.reduce(0) { $0 + pairs[$1] }
      if plan.visiblePairs(of: vrank) != counted { return "rank \(vrank) has \(counted) pairs" }
    }
    for tile in sees.indices
    where Array(plan.neededKeyTiles(ofQueryTile: tile))
      != sees[tile].indices.filter({ sees[tile][$0] })
    {
      return "query tile \(tile)"
    }
    let total = pairs.reduce(0, +)
    return plan.job.visiblePairs() == total ? nil : "\(plan.job.visiblePairs()) pairs, not \(total)"
  }
}
