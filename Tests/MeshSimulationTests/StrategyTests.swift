import AttentionKernels
import Checksums
import ElementTypes
import MeshCore
import MeshSimulation
import Testing

/// Strategies and layouts change who does what, and no bit.
@Suite struct StrategyTests {
  private static func job(
    heads: Int, _ strategy: Strategy, _ layout: Layout, grid: Grid? = nil
  ) -> AttentionJob {
    var job = AttentionJob(
      batch: 1, queryHeads: 2 * heads, keyValueHeads: heads, queryTokens: 650, keyTokens: 1_400,
      headDimension: 16, element: .float32, mask: .causal, scale: 0.25, layout: layout)
    job.strategy = strategy
    job.grid = grid
    job.vranks = grid.map { $0.groups * $0.shards } ?? 0
    job.cutHeads()
    return job
  }

  private static let strategies: [(Strategy, Grid?)] = [
    (.auto, nil), (.ring, nil), (.ulysses, nil), (.usp, nil),
    (.usp, Grid(groups: 2, shards: 5)), (.usp, Grid(groups: 6, shards: 1)),
    (.usp, Grid(groups: 1, shards: 11)),
  ]

  @Test(
    "every strategy, in every layout, on any number of workers, has the bits of one worker",
    arguments: strategies, Layout.allCases)
  func bits(strategy: (Strategy, Grid?), layout: Layout) throws {
    let job = Self.job(heads: 6, strategy.0, layout, grid: strategy.1)
    var expected: InProcessMesh.Outcome?
    for workers in [1, 2, 3, 5, 8] {
      let configuration = Configuration(job: job, workers: workers, seed: 3)
      let comment = Comment(rawValue: "\(configuration)")
      if expected == nil { expected = configuration.alone.run() }
      let outcome = try #require(configuration.run(), comment)
      #expect(outcome.breach == nil && outcome.status.summary.state == .done, comment)
      #expect(outcome.tensors.output == expected?.tensors.output, comment)
      #expect(outcome.tensors.logSumExp == expected?.tensors.logSumExp, comment)
      #expect(outcome.tileBytes == outcome.status.neededBytes, comment)
      if let grid = strategy.1 { #expect(outcome.status.grid == grid, comment) }
    }
  }

  @Test("with ulysses no tile passes where each worker has whole heads", arguments: [2, 3, 6])
  func noTilesPass(workers: Int) throws {
    let configuration = Configuration(
      job: Self.job(heads: 6, .ulysses, .zigzag), workers: workers, seed: 4)
    let outcome = try #require(configuration.run())
    #expect(outcome.status.workers.count == workers)
    #expect(outcome.tileBytes == 0 && outcome.status.neededBytes == 0)
  }

  @Test("seven heads keep four workers busy alike")
  func sevenHeads() throws {
    var job = Self.job(heads: 7, .ulysses, .contiguous)
    job.mask = .full
    job.queryTokens = 64 * 8
    let outcome = try #require(Configuration(job: job, workers: 4, seed: 5).run())
    #expect(outcome.status.grid == Grid(groups: 7, shards: 4))
    let ranks = Dictionary(grouping: outcome.status.ranks, by: \.worker)
    #expect(ranks.count == 4)
    #expect(ranks.values.allSatisfy { $0.reduce(0) { $0 + $1.needed } == 7 * 6 })
  }

  /// Crashes, losses, drains and noise as seeds bring them, to grids of heads and tokens.
  @Test("no fault changes a bit of any grid", arguments: 0..<10)
  func faults(shape: Int) throws {
    let grids = [(4, 1), (2, 2), (4, 2), (2, 3), (1, 6)]
    let (groups, shards) = grids[shape % 5]
    let layout = shape < 5 ? Layout.striped : .zigzag
    var spec = Self.job(heads: 4, .usp, layout, grid: Grid(groups: groups, shards: shards))
    spec.headDimension = 4
    spec.keyTokens = 3_000
    let inputs = Configuration(job: spec, workers: 1, seed: 6).tensors
    let job = SimulatedJob(
      spec: spec, inputs: inputs, kernel: AttentionKernel(), hasOracle: false)
    let expected = try #require(Configuration(job: spec, workers: 1, seed: 6).alone.run())
    var done = 0
    for seed in 0..<UInt64(40 * soakFactor) {
      let options = SimulationOptions(seed: UInt64(shape) << 32 | seed)
      let outcome = Simulation(options, job: job).run()
      #expect(outcome.violation == nil, "seed \(options.seed)")
      guard outcome.status?.summary.state == .done else { continue }
      done += 1
      #expect(outcome.tensors.output == expected.tensors.output, "seed \(options.seed)")
    }
    #expect(done >= 20)
  }
}
