internal import ArgumentParser
internal import MeshBench
internal import MeshCore
internal import MeshRuntime

/// `attnmesh bench recovery`.
struct BenchRecovery: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "recovery",
    abstract: "What the loss of a worker in the middle of a job costs, in time and in work.",
    discussion: """
      Each killed run loses one worker to SIGKILL between 30 and 70 % of the way; undisturbed runs
      take turns with them. All have the bits of one process, or nothing counts. A rank is copied at
      least every ninth of its tiles: that is the interval of which refolded tiles are told.
      """.prose)

  @OptionGroup var files: BenchTensorOptions

  @Option(help: "Tokens; files are cut or repeated to them.")
  var tokens = 65_536

  @Option(help: "Workers, with one thread each.")
  var workers = 4

  @Option(help: "Runs in which a worker is killed.")
  var kills = 7

  @Option(help: "Of the draw of workers and moments.")
  var seed: UInt64 = 1

  @Flag(help: "A short job and two kills: whether it works, not how well.")
  var quick = false

  @OptionGroup var options: BenchOptions

  func run() throws {
    var bench = RecoveryBench()
    bench.workers = try number("\(workers)", "--workers", in: 2...64)
    bench.kills = quick ? 2 : try number("\(kills)", "--kills", in: 1...1_000)
    bench.seed = seed
    let tokens = try number("\(tokens)", "--tokens", in: 256...Limits.tokensMaximum)
    let tensors = try files.tensors(tokens: quick ? min(tokens, 24_576) : tokens)
    let interruption = Interruption()
    let result = try bench.run(
      tensors, isCancelled: { interruption.isRequested }, progress: { options.tell($0) })
    if options.json {
      printJSON(result)
    } else {
      show(result)
    }
    try options.conclude(result.findings)
  }

  private func show(_ result: RecoveryBench.Result) {
    print(
      "\(result.tokens) tokens, \(result.shape); \(counted(result.workers, "worker")) × 1 thread,"
        + " \(result.vranks) virtual ranks; digests equal to one process's")
    printTable(
      ["KILLED", "AT s", "WALL s", "RANK", "LOST: TILES", "OF", "FOUND IN", "RESTORED AFTER s"],
      result.runs.flatMap { run in
        run.ranks.map { rank in
          [
            run.worker, decimal(run.killedAtSeconds, 2), decimal(run.wallSeconds, 2),
            "\(rank.vrank)", "\(rank.refolded)", "\(rank.needed)", rank.tier,
            rank.restoreSeconds.map { decimal($0, 3) } ?? "",
          ]
        }
      })
    print("")
    let restore = result.restoreSeconds
    printTable(
      ["", "MEDIAN (LOWEST–HIGHEST)"],
      [
        ["undisturbed, wall s", result.undisturbedSeconds.text(2)],
        ["one worker killed, wall s", result.killedSeconds.text(2)],
        ["ratio of the medians", decimal(result.killedOverUndisturbed, 3)],
        ["over starting anew at the kill", result.overRestart.text(3)],
        ["tiles refolded of a lost rank", result.refoldedTiles.text(1)],
        [
          "restored after s, p50 / p95 / highest",
          "\(decimal(restore.p50, 3)) / \(decimal(restore.p95, 3)) / \(decimal(restore.highest, 3))",
        ],
        ["copies of a rank, at least", "\(result.leastCopies)"],
        ["CPU of the machine in use", result.machineCPUShare.text(2)],
      ])
  }
}

/// `attnmesh bench protection`.
struct BenchProtection: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "protection",
    abstract: "What provision for failures costs a job in which nothing fails.",
    discussion: """
      Runs with copies, checkpoints and heartbeats, in turn with runs under --protection off. CPU
      time is that of the coordinator and of all workers.
      """.prose)

  @OptionGroup var files: BenchTensorOptions

  @Option(help: "Tokens; files are cut or repeated to them.")
  var tokens = 65_536

  @Option(help: "Workers, with one thread each.")
  var workers = 4

  @Option(help: "Pairs, run in turn.")
  var repetitions = 7

  @Flag(help: "A short job and two pairs: whether it works, not how well.")
  var quick = false

  @OptionGroup var options: BenchOptions

  func run() throws {
    var bench = ProtectionBench()
    bench.workers = try number("\(workers)", "--workers", in: 2...64)
    bench.repetitions = quick ? 2 : try number("\(repetitions)", "--repetitions", in: 1...100)
    let tokens = try number("\(tokens)", "--tokens", in: 256...Limits.tokensMaximum)
    let tensors = try files.tensors(tokens: quick ? min(tokens, 16_384) : tokens)
    let interruption = Interruption()
    let result = try bench.run(
      tensors, isCancelled: { interruption.isRequested }, progress: { options.tell($0) })
    if options.json {
      printJSON(result)
    } else {
      print(
        "\(result.tokens) tokens, \(result.shape); \(counted(result.workers, "worker")) × 1 thread; digests"
          + " equal to one process's")
      printTable(
        ["", "PROTECTED", "NOT", "RATIO OF PAIRS"],
        [
          [
            "CPU s", result.protectedCPUSeconds.text(2), result.plainCPUSeconds.text(2),
            result.cpuRatio.text(4),
          ],
          [
            "wall s", result.protectedWallSeconds.text(2), result.plainWallSeconds.text(2),
            result.wallRatio.text(4),
          ],
          ["copies MiB", result.copyBytes.text(1, per: Double(1 << 20)), "0", ""],
          ["CPU of the machine in use", result.machineCPUShare.text(2), "", ""],
        ])
    }
    try options.conclude(result.findings)
  }
}
