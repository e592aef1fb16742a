internal import ArgumentParser
internal import AttentionKernels
internal import MeshBench
internal import MeshCore
internal import MeshRuntime

/// `attnmesh bench masks`.
struct BenchMasks: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "masks",
    abstract: "Whether time and bytes follow the mask: windows, documents, blocks against causal.",
    discussion: """
      Time: whole passes of one head of float16 elements, head dimension 64, on one thread by processor
      time, in turn with causal ones; a mask does well whose TIME over causal's is near its query–key
      PAIRS over causal's. Bytes: jobs on a local mesh, with K/V tiles of 64 KiB; SENT counts requests and
      framing, too, NEEDED is the payload of the tiles that have to cross. Windows are of 1,024 keys, a
      query's own among them; documents of the mesh's jobs have lengths like those of texts; their block
      map lets all queries see every fourth tile.

      Example, in little:
        attnmesh bench masks --tokens 8192 --repetitions 3 --mesh-tokens 8192
      """.prose)

  @Option(help: "Tokens of the head.")
  var tokens = 32_768

  @Option(help: "Pairs of a mask and causal, measured in turn.")
  var repetitions = 7

  @Option(help: "Tokens of the mesh's jobs.")
  var meshTokens = 16_384

  @Option(help: "Workers of the mesh.")
  var workers = 4

  @OptionGroup var options: BenchOptions

  func run() throws {
    var bench = MasksBench()
    bench.tokens = try number("\(tokens)", "--tokens", in: 256...262_144)
    bench.repetitions = try number("\(repetitions)", "--repetitions", in: 1...100)
    bench.meshTokens = try number("\(meshTokens)", "--mesh-tokens", in: 256...1_048_576)
    bench.workers = try number("\(workers)", "--workers", in: 2...64)
    let interruption = Interruption()
    let result = try bench.run(
      level: try KernelLevel.chosen(), isCancelled: { interruption.isRequested },
      progress: { options.tell($0) })
    if options.json {
      printJSON(result)
    } else {
      show(result)
    }
    try options.conclude(result.findings)
  }

  private func show(_ result: MasksBench.Result) {
    print(
      "one head, \(result.tokens) tokens, \(result.level), \(counted(repetitions, "pair")) each; verified"
        + " against the reference; machine's cores \(decimal(100 * result.machineCPUShare, 0)) %"
        + " in use")
    printTable(
      ["MASK", "CPU s", "CAUSAL, CPU s", "TIME/CAUSAL", "PAIRS/CAUSAL"],
      result.heads.map { item in
        [
          item.mask, item.seconds.text(4), item.causalSeconds.text(3), item.overCausal.text(4),
          decimal(item.pairsOverCausal, 4),
        ]
      })
    print(
      "\n\(counted(workers, "worker")), \(result.meshTokens) tokens, tiles of"
        + " \(bytes(result.tileBytes)); digests equal to one process's")
    printTable(
      [
        "MASK", "LAYOUT", "VRANKS", "SENT", "NEEDED", "SENT/NEEDED", "SENT/CAUSAL",
        "PAIRS/CAUSAL",
      ],
      result.meshes.map { item in
        [
          item.mask, item.traffic.layout, "\(item.traffic.vranks)", "\(item.traffic.sentBytes)",
          "\(item.traffic.neededBytes)", decimal(item.traffic.sentOverNeeded, 4),
          decimal(item.sentOverCausal, 4), decimal(item.pairsOverCausal, 4),
        ]
      })
  }
}
