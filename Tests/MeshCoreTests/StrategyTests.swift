import Foundation
import MeshCore
import Testing

/// Which grid a strategy makes of a job and a number of ranks, or of workers.
@Suite struct StrategyTests {
  private func job(
    _ strategy: Strategy, heads: Int, tiles: Int = 32, keys: Int = 2_048, vranks: Int = 0,
    grid: Grid? = nil
  ) -> AttentionJob {
    var job = sampleJob(
      heads: heads, keyHeads: heads, queries: 64 * tiles, keys: keys, mask: .full,
      vranks: grid.map { $0.groups * $0.shards } ?? vranks)
    job.strategy = strategy
    job.grid = grid
    job.cutHeads()
    return job
  }

  private func grid(_ job: AttentionJob, workers: Int) -> Grid {
    Grid(of: job, vranks: job.vrankCount(workers: workers))
  }

  /// Query rows of all heads that each worker folds.
  private func rows(_ plan: Plan, workers: Int) -> [Int] {
    let hosts = Plan.hosts(vranks: plan.vrankCount, workers: workers)
    return plan.vranks.reduce(into: [Int](repeating: 0, count: workers)) { rows, vrank in
      rows[hosts[vrank.index]] += plan.queryTiles(of: vrank).count * plan.headCount(.query)
    }
  }

  private func tileBytes(_ plan: Plan, workers: Int) -> Int {
    let hosts = Plan.hosts(vranks: plan.vrankCount, workers: workers)
    return Ring(plan: plan, assignment: sampleAssignment(plan, hosts: hosts, peers: workers))
      .neededBytes
  }

  @Test("a grid has no more ranks than there may be, and of as many as it has is the same again")
  func sameAgain() {
    var random = SplitMix64(seed: 5)
    for _ in 0..<3_000 {
      let strategy = Strategy.allCases[random.below(4)]
      let job = job(strategy, heads: 1 + random.below(40), tiles: 1 + random.below(40))
      let vranks = 1 + random.below(Limits.vranksMaximum)
      let grid = Grid(of: job, vranks: vranks)
      #expect(grid.groups * grid.shards <= vranks && job.headCuts % grid.groups == 0)
      #expect((1...job.queryTokens / 64).contains(grid.shards))
      #expect(Grid(of: job, vranks: grid.groups * grid.shards) == grid, "\(strategy), \(vranks)")
      switch strategy {
      case .auto: #expect(grid.groups == 1 || grid.shards == job.queryTokens / 64)
      case .ring: #expect(grid.groups == 1)
      // Tokens are cut when every head is a group of its own.
      case .ulysses: #expect(grid.shards == 1 || grid.groups == job.headCuts)
      case .usp: #expect(grid.groups * grid.shards >= min(vranks, job.queryTokens / 64))
      }
    }
  }

  @Test("without a strategy heads are cut where there are fewer query tiles than ranks, as ever")
  func automatic() {
    for heads in [1, 6, 8, 64] {
      for tiles in [1, 3, 31, 40] {
        for vranks in [1, 2, 12, 100, 256] {
          var job = job(.auto, heads: heads, tiles: tiles)
          job.headCuts = heads
          let shards = min(vranks, tiles)
          let groups = (1...heads).last { heads % $0 == 0 && $0 <= vranks / shards }
          #expect(Grid(of: job, vranks: vranks) == Grid(groups: groups ?? 1, shards: shards))
        }
      }
    }
  }

  @Test(
    "ulysses gives heads away whole while that is even, and cuts tokens where it isn't",
    arguments: [
      (7, 4, Grid(groups: 7, shards: 4)), (2, 8, Grid(groups: 2, shards: 16)),
      (8, 4, Grid(groups: 8, shards: 2)), (8, 8, Grid(groups: 8, shards: 4)),
      (32, 4, Grid(groups: 16, shards: 1)), (1, 3, Grid(groups: 1, shards: 32)),
      (8, 1, Grid(groups: 4, shards: 1)), (256, 4, Grid(groups: 16, shards: 1)),
    ])
  func ulysses(heads: Int, workers: Int, expected: Grid) {
    #expect(grid(job(.ulysses, heads: heads), workers: workers) == expected)
  }

  @Test("parts are no smaller than a mesh of some dozens of workers has a use for")
  func parts() {
    let cuts = [1, 7, 63, 64, 128, 134, 252, 514, 640].map { job(.ulysses, heads: $0).headCuts }
    #expect(cuts == [1, 7, 63, 64, 64, 67, 84, 2, 64])
    #expect(job(.ulysses, heads: 256, vranks: 200).headCuts == 128)
    #expect(job(.usp, heads: 128, grid: Grid(groups: 2, shards: 3)).headCuts == 2)
  }

  @Test(
    "seven heads are an equal share for each of four workers, without hosts of a head more than two"
  )
  func sevenHeads() {
    let job = job(.ulysses, heads: 7)
    let plan = Plan(job: job, vrankCount: job.vrankCount(workers: 4))
    #expect(plan.vrankCount == 28)
    #expect(rows(plan, workers: 4) == [56, 56, 56, 56])
    // Three of the seven heads are shared by two workers each.
    #expect(tileBytes(plan, workers: 4) == 2 * job.keyBytes * 3 / 7)
  }

  @Test("any number of heads is shared evenly by any number of workers", arguments: 1...24)
  func even(heads: Int) {
    for workers in 1...9 {
      for strategy in [Strategy.ulysses, .usp] {
        let job = job(strategy, heads: heads, tiles: 64)
        let plan = Plan(job: job, vrankCount: job.vrankCount(workers: workers))
        let rows = rows(plan, workers: workers)
        let mean = Double(64 * heads) / Double(workers)
        #expect(Double(rows.max() ?? 0) <= 1.13 * mean, "\(strategy), \(workers): \(rows)")
      }
    }
  }

  @Test("where each worker has whole groups of heads, no tile passes", arguments: [2, 4, 8])
  func noTilesPass(workers: Int) {
    for strategy in [Strategy.ulysses, .usp] {
      let job = job(strategy, heads: 8)
      let plan = Plan(job: job, vrankCount: job.vrankCount(workers: workers))
      #expect(tileBytes(plan, workers: workers) == 0, "\(strategy)")
    }
    let ring = job(.ring, heads: 8)
    let plan = Plan(job: ring, vrankCount: ring.vrankCount(workers: workers))
    #expect(tileBytes(plan, workers: workers) == (workers - 1) * 2 * ring.keyBytes)
  }

  @Test("what is asked for and can't be had is refused with both numbers")
  func refusals() {
    func problem(
      _ heads: Int, _ grid: Grid, tiles: Int = 32, keys: Int = 2_048, vranks: Int? = nil
    ) -> String {
      var job = job(.usp, heads: heads, tiles: tiles, keys: keys, grid: grid)
      job.vranks = vranks ?? job.vranks
      return job.problem ?? "none"
    }
    #expect(problem(8, Grid(groups: 4, shards: 32)) == "none")
    #expect(
      problem(8, Grid(groups: 3, shards: 2)).contains("3 groups don't divide")
        && problem(8, Grid(groups: 3, shards: 2)).hasSuffix("which is 8"))
    #expect(problem(8, Grid(groups: 2, shards: 33)).contains("33 shards of tokens, but only 32"))
    #expect(
      problem(32, Grid(groups: 16, shards: 17), vranks: 0).contains(
        "which is 272; they must be 1 to 256"))
    #expect(problem(8, Grid(groups: 2, shards: 3), vranks: 7).contains("6 virtual ranks, not 7"))
    let long = problem(8, Grid(groups: 8, shards: 1), keys: Limits.tokensMaximum)
    #expect(long.contains("8 groups of 65536 K/V tiles") && long.contains("262144"))
    for strategy in [Strategy.auto, .ring, .ulysses] {
      var job = job(strategy, heads: 8)
      job.grid = Grid(groups: 1, shards: 1)
      #expect(job.problem?.contains("not with \(strategy.name)") == true)
    }
    let prime = job(.ulysses, heads: 257).problem ?? "none"
    #expect(prime.contains("257") && prime.contains("256"))
    #expect(job(.ulysses, heads: 514).problem == nil)
    for hostile in [Int.min, -1, 0, 257, .max] {
      var job = job(.usp, heads: 8)
      for grid in [Grid(groups: hostile, shards: 1), Grid(groups: 1, shards: hostile)] {
        job.grid = grid
        #expect(job.problem?.contains("1 to 256") == true)
      }
    }
  }

  @Test("strategies have hashes of their own, and none has what it had")
  func hashes() {
    func hash(_ job: AttentionJob, _ vranks: Int) -> String {
      "\(Plan(job: job, vrankCount: vranks).hash(inputs: sampleInputs, numerics: "fma"))"
    }
    var plain = job(.auto, heads: 4)
    plain.headCuts = 4
    let jobs = Strategy.allCases.map { strategy in
      var job = plain
      job.strategy = strategy
      return job
    }
    // One rank has all of it, whatever it is called.
    #expect(Set(jobs.map { Plan(job: $0, vrankCount: 1).grid }).count == 1)
    for vranks in [1, 4, 8] { #expect(Set(jobs.map { hash($0, vranks) }).count == jobs.count) }
    var grids = [(1, 8), (2, 4), (4, 2)].map { groups, shards in
      var job = jobs[3]
      job.grid = Grid(groups: groups, shards: shards)
      job.vranks = 8
      return hash(job, 8)
    }
    grids.append(hash(jobs[2], 8))
    // The grid that usp finds by itself is the last of these.
    #expect(hash(jobs[3], 8) == grids[2] && Set(grids).count == 4)
  }

  @Test("a job without a strategy is stored as it was before there were any")
  func stored() throws {
    let old = try String(decoding: JSONEncoder().encode(job(.auto, heads: 1)), as: UTF8.self)
    #expect(!old.lowercased().contains("strategy") && !old.contains("grid"))
    let job = job(.usp, heads: 4, grid: Grid(groups: 2, shards: 3))
    #expect(try JSONDecoder().decode(AttentionJob.self, from: JSONEncoder().encode(job)) == job)
  }

  @Test("a grid is two numbers", arguments: ["", "1", "1,", ",1", "1,2,3", "a,1", "1;2", "1, 2"])
  func texts(text: String) {
    #expect(Grid(text) == nil)
    #expect(Grid("4,3") == Grid(groups: 4, shards: 3) && Grid("4,3")?.name == "4,3")
  }

  @Test("the reason says what passes between workers")
  func reasons() {
    let whole = job(.ulysses, heads: 8)
    let text = whole.strategyReason(grid(whole, workers: 2), passesTiles: false)
    #expect(text.contains("no tile passes between workers") && text.hasPrefix("as asked"))
    let ring = job(.auto, heads: 8)
    #expect(ring.strategyName(grid(ring, workers: 2)) == "ring")
    #expect(
      ring.strategyReason(grid(ring, workers: 2), passesTiles: true).contains("K/V tiles pass"))
    var few = job(.auto, heads: 8, tiles: 1)
    few.headCuts = 8
    #expect(few.strategyName(grid(few, workers: 2)) == "ulysses")
    #expect(
      few.strategyReason(grid(few, workers: 2), passesTiles: false).contains("no tile passes"))
    few = job(.auto, heads: 8, tiles: 2)
    few.headCuts = 8
    #expect(few.strategyName(grid(few, workers: 2)) == "usp")
  }
}
