internal import ArgumentParser
internal import MeshBench
internal import MeshCore
internal import MeshRuntime

/// `attnmesh bench jobs`.
struct BenchJobs: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "jobs",
    abstract: "What a standing mesh takes for a job that is nothing to compute.",
    discussion: """
      Starts a coordinator and workers, runs `attend --coordinator` again and again as a process of its
      own, and then sends the same jobs over one connection, each fetched to a file. Every result is
      compared with that of one process.
      """.prose)

  @Option(help: "Jobs of each kind.")
  var jobs = 200

  @Option(help: "Workers, with one thread each.")
  var workers = 3

  @Option(help: "Tokens of a job.")
  var tokens = 16

  @Flag(help: "A coordinator without --store: nothing is synced to disk.")
  var noStore = false

  @Flag(help: "A few of each: whether it works, not how well.")
  var quick = false

  @OptionGroup var options: BenchOptions

  func run() throws {
    var bench = JobsBench()
    bench.jobs = quick ? 5 : try number("\(jobs)", "--jobs", in: 1...100_000)
    bench.workers = try number("\(workers)", "--workers", in: 1...32)
    bench.tokens = try number("\(tokens)", "--tokens", in: 1...65_536)
    bench.hasStore = !noStore
    let tensors = try BenchTensors(
      BenchTensors.Shape(queryHeads: 4, keyHeads: 4, tokens: bench.tokens, headDimension: 64),
      seed: 1)
    let interruption = Interruption()
    let result = try bench.run(
      tensors, isCancelled: { interruption.isRequested }, progress: { options.tell($0) })
    if options.json {
      printJSON(result)
    } else {
      print(
        "\(result.jobs) jobs of \(result.tokens) tokens on \(result.workers) workers, the coordinator"
          + " \(result.hasStore ? "with" : "without") a store; results equal to one process's")
      printTable(
        ["", "P50 ms", "P95 ms", "P99 ms", "HIGHEST ms"],
        [["attend, start to end"] + cells(result.processSeconds)]
          + result.phases.map { ["  " + $0.name] + cells($0.seconds) })
      print("\n\(decimal(result.jobsPerSecond, 1)) jobs a second over one connection")
    }
    try options.conclude(result.findings)
  }

  private func cells(_ times: Percentiles) -> [String] {
    [times.p50, times.p95, times.p99, times.highest].map { decimal($0 * 1e3, 1) }
  }
}
