internal import ArgumentParser
internal import MeshBench
internal import MeshCore
internal import MeshRuntime

/// `attnmesh bench scaling`.
struct BenchScaling: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "scaling",
    abstract: "Two workers with a thread each against one with two threads, on a causal job.")

  @OptionGroup var files: BenchTensorOptions

  @Option(help: "Tokens; files are cut or repeated to them.")
  var tokens = 32_768

  @Option(help: "Pairs, run in turn.")
  var repetitions = 5

  @OptionGroup var options: BenchOptions

  func run() throws {
    var bench = ScalingBench()
    bench.repetitions = try number("\(repetitions)", "--repetitions", in: 1...100)
    let tensors = try files.tensors(
      tokens: try number("\(tokens)", "--tokens", in: 256...Limits.tokensMaximum))
    let interruption = Interruption()
    let result = try bench.run(
      tensors, isCancelled: { interruption.isRequested }, progress: { options.tell($0) })
    if options.json {
      printJSON(result)
    } else {
      print("\(result.tokens) tokens, \(result.shape); digests equal to one process's")
      printTable(
        ["", "WALL s"],
        [
          ["1 worker × 2 threads", result.oneWorkerSeconds.text(3)],
          ["2 workers × 1 thread", result.twoWorkersSeconds.text(3)],
          ["ratio of pairs", result.ratio.text(3)],
          ["2 workers: sent / needed", result.sentOverNeeded.text(4)],
          ["CPU of the machine in use", result.machineCPUShare.text(2)],
        ])
    }
    try options.conclude(result.findings)
  }
}

/// `attnmesh bench memory`.
struct BenchMemory: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "memory",
    abstract: "Peak memory of a worker as the sequence grows with the number of workers.")

  @Option(help: "Numbers of workers, ascending, such as 2,4,8.")
  var workers: [String] = []

  @Option(help: "Tokens per worker.")
  var tokens = 4_096

  @Option(help: "Runs of each.")
  var repetitions = 3

  @OptionGroup var options: BenchOptions

  func run() throws {
    var bench = MemoryBench()
    bench.workers = try list(workers, "--workers", or: bench.workers) { (text) throws(MeshError) in
      try number(text, "--workers", in: 1...64)
    }
    bench.tokensPerWorker = try number("\(tokens)", "--tokens", in: 256...1_048_576)
    bench.repetitions = try number("\(repetitions)", "--repetitions", in: 1...100)
    let interruption = Interruption()
    let result = try bench.run(
      isCancelled: { interruption.isRequested }, progress: { options.tell($0) })
    if options.json {
      printJSON(result)
    } else {
      let mib = Double(1 << 20)
      print(
        "\(result.tokensPerWorker) tokens per worker, 9/3 heads, d 64, float16, \(result.mask);"
          + " digests equal to one process's")
      printTable(
        ["WORKERS", "TOKENS", "LARGEST PEAK MiB", "MEAN PEAK MiB", "BOUND MiB", "WALL s"],
        result.cases.map { item in
          [
            "\(item.workers)", "\(item.tokens)", item.peakBytes.text(1, per: mib),
            item.meanBytes.text(1, per: mib), decimal(Double(item.workerBytesBound) / mib, 1),
            item.wallSeconds.text(2),
          ]
        })
    }
    try options.conclude(result.findings)
  }
}

/// `attnmesh bench bytes`.
struct BenchBytes: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bytes",
    abstract: "Bytes between workers against the bytes that have to cross, on a causal job.")

  @OptionGroup var files: BenchTensorOptions

  @Option(help: "Tokens; files are cut or repeated to them.")
  var tokens = 8_192

  @Option(help: "Numbers of workers, such as 2,4,8.")
  var workers: [String] = []

  @OptionGroup var options: BenchOptions

  func run() throws {
    var bench = BytesBench()
    bench.workers = try list(workers, "--workers", or: bench.workers) { (text) throws(MeshError) in
      try number(text, "--workers", in: 2...64)
    }
    let tensors = try files.tensors(
      tokens: try number("\(tokens)", "--tokens", in: 256...Limits.tokensMaximum))
    let interruption = Interruption()
    let result = try bench.run(
      tensors, isCancelled: { interruption.isRequested }, progress: { options.tell($0) })
    if options.json {
      printJSON(result)
    } else {
      print("\(result.tokens) tokens, causal; digests equal to one process's")
      printTable(
        [
          "WORKERS", "LAYOUT", "VRANKS", "SENT", "NEEDED", "SENT/NEEDED", "NEEDED/FULL RING",
          "DROPPED",
        ],
        result.cases.map { item in
          [
            "\(item.workers)", item.layout, "\(item.vranks)", "\(item.sentBytes)",
            "\(item.neededBytes)", decimal(item.sentOverNeeded, 4),
            decimal(item.neededOverRing, 4), "\(item.dropped)",
          ]
        })
    }
    try options.conclude(result.findings)
  }
}
