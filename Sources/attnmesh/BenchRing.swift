internal import ArgumentParser
internal import MeshBench
internal import MeshCore
internal import MeshRuntime

/// `attnmesh bench ring`.
struct BenchRing: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ring",
    abstract: "How busy workers are when tiles take time to travel, and what a slow one costs.",
    discussion: """
      Worker processes and sockets are real; folds sleep and links are paced, so that a few cores do
      for many workers. A fold is a worker's share of the rows with all keys of one tile; a transfer
      is one tile on a worker's outgoing link. Under a causal mask the rates are those of the full
      one. Busy is the modelled time of a worker's folds over the time from the assignment to its
      last fold.
      """.prose)

  @Option(help: "Numbers of workers, such as 4,8.")
  var workers: [String] = []

  @Option(help: "full (contiguous), causal (zigzag) or both: full,causal.")
  var mask: [String] = []

  @Option(help: "K/V tiles of the job.")
  var tiles = 64

  @Option(help: "Milliseconds that a fold takes.")
  var fold = 50.0

  @Option(help: "A transfer over a fold.")
  var transfer = 0.1

  @Option(help: "How many times slower the slow worker is.")
  var slow = 3.0

  @Option(help: "Virtual ranks per worker.")
  var vranks = 3

  @Option(help: "Pairs of an undisturbed run and one with a slow worker.")
  var repetitions = 3

  @OptionGroup var options: BenchOptions

  func run() throws {
    var bench = RingBench()
    bench.workers = try list(workers, "--workers", or: bench.workers) { (text) throws(MeshError) in
      try number(text, "--workers", in: 2...64)
    }
    bench.masks = try masks(mask, or: bench.masks)
    bench.tiles = try number("\(tiles)", "--tiles", in: 8...4_096)
    bench.vranksPerWorker = try number("\(vranks)", "--vranks", in: 1...16)
    bench.repetitions = try number("\(repetitions)", "--repetitions", in: 1...100)
    guard (1...10_000).contains(fold), (0.001...10).contains(transfer), (1...100).contains(slow)
    else {
      throw MeshError(
        .badInput, "--fold must be 1 to 10000, --transfer 0.001 to 10, --slow 1 to 100")
    }
    bench.foldSeconds = fold / 1_000
    bench.transferShare = transfer
    bench.slowFactor = slow
    let interruption = Interruption()
    let result = try bench.run(
      isCancelled: { interruption.isRequested }, progress: { options.tell($0) })
    if options.json {
      printJSON(result)
    } else {
      show(result)
    }
    try options.conclude(result.findings)
  }

  private func show(_ result: RingBench.Result) {
    print(
      "\(result.tokens) tokens, \(result.tiles) tiles; modelled: fold"
        + " \(decimal(result.foldSeconds * 1e3, 1)) ms, transfer"
        + " \(decimal(result.transferSeconds * 1e3, 1)) ms, one worker \(result.slowFactor) times"
        + " slower; verified by digest with real folds")
    printTable(
      [
        "WORKERS", "MASK", "VRANKS", "BUSY, MEAN", "BUSY, LEAST", "WALL s", "DELAY OF OTHERS",
        "SENT/NEEDED", "OUR CPU", "ALL CPU",
      ],
      result.cases.map { item in
        [
          "\(item.workers)", "\(item.mask) \(item.layout)", "\(item.vranks)",
          item.busyMean.text(3), item.busyLeast.text(3), item.wallSeconds.text(2),
          item.othersDelay.text(3), item.tileBytesOverNeeded.text(3), item.ownCPUShare.text(2),
          item.machineCPUShare.text(2),
        ]
      })
  }
}
