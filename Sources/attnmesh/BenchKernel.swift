internal import ArgumentParser
internal import AttentionKernels
internal import MeshBench
internal import MeshCore
internal import MeshRuntime

/// `attnmesh bench kernel`.
struct BenchKernel: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "kernel",
    abstract: "Kernels against the multiply-add peak of the core.",
    discussion: """
      One head on one thread, by processor time. Forward: folds of float16 elements, as a worker does
      them; packing is shown apart. BACKWARD: all steps of dQ, dK and dV in float32, packed before, as a
      share of the peak; a head of 320 tokens is verified. BFLOAT16: forward with bfloat16 operands, as a
      share of the peak of such products: of the CPU's dot product where the level has one. TWO THREADS:
      what they gain over one with a head each, over what two copies of the peak loop gain, by the wall
      clock. TRAFFIC: what folds move between the first cache and those behind it, modelled. × torch:
      whole passes with packing, by the wall clock, against scaled_dot_product_attention and its
      gradients, a head for each thread.
      """.prose)

  @Option(name: .customLong("head-dim"), help: "Head dimensions, such as 64,128.")
  var headDimension: [String] = []

  @Option(help: "full, causal or both: full,causal.")
  var mask: [String] = []

  @Option(help: "CPU levels, such as avx512,avx2,baseline. (default: the best one here)")
  var level: [String] = []

  @Option(help: "Queries, and as many keys.")
  var tokens = 4_096

  @Option(help: "Pairs of fold and peak, measured in turn.")
  var repetitions = 11

  @Option(
    help: ArgumentHelp(
      "A Python with a CPU build of torch, to compare with.", valueName: "python"))
  var torch: String?

  @OptionGroup var options: BenchOptions

  func run() throws {
    var bench = KernelBench(
      levels: try list(level, "--level", or: [try KernelLevel.chosen()]) {
        (text) throws(MeshError) in
        guard let level = KernelLevel(name: text), level.isSupported else {
          throw MeshError(.badInput, "--level \(text): this CPU or program has no such level")
        }
        return level
      })
    bench.headDimensions = try list(headDimension, "--head-dim", or: bench.headDimensions) {
      (text) throws(MeshError) in
      try number(text, "--head-dim", in: 1...Limits.headDimensionMaximum)
    }
    bench.masks = try masks(mask, or: bench.masks)
    bench.tokens = try number("\(tokens)", "--tokens", in: 256...65_536)
    bench.repetitions = try number("\(repetitions)", "--repetitions", in: 1...1_000)
    bench.torch = try torch.map { (path) throws(MeshError) in try TorchPeer(python: path) }
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

  private func show(_ result: KernelBench.Result) {
    print(
      "\(result.tokens) queries × \(result.tokens) keys, \(repetitions) pairs; verified against the"
        + " reference; machine's cores \(decimal(100 * result.machineCPUShare, 0)) % in use")
    printTable(
      [
        "LEVEL", "D", "MASK", "GFLOP/S", "PEAK", "SHARE OF PEAK", "BACKWARD", "BFLOAT16",
        "TWO THREADS", "TRAFFIC GB/S", "PACK K/V µs", "PACK Q µs",
      ],
      result.cases.map { item in
        [
          item.level, "\(item.headDimension)", item.mask, item.gflopsPerSecond.text(1),
          item.peakGflopsPerSecond.text(1), item.shareOfPeak.text(3),
          item.backwardShareOfPeak.text(3), item.bfloat16ShareOfPeak.text(3),
          item.twoThreads.text(2), item.modelledTrafficGigabytesPerSecond.text(1),
          item.packKeyTileMicroseconds.text(1),
          item.packQueryTileMicroseconds.text(1),
        ]
      })
    guard let torch = result.torch else { return }
    print("\ntimes as fast as torch \(torch)")
    printTable(
      [
        "LEVEL", "D", "MASK", "FLOAT32", "TWO THREADS", "BFLOAT16", "BACKWARD", "TWO THREADS",
      ],
      result.cases.compactMap { item in
        item.overTorch.map { ratios in
          [item.level, "\(item.headDimension)", item.mask]
            + [
              ratios.float32, ratios.float32TwoThreads, ratios.bfloat16, ratios.backward,
              ratios.backwardTwoThreads,
            ].map { $0.text(2) }
        }
      })
  }
}

/// Masks on the command line.
func masks(_ texts: [String], or standard: [MaskRule]) throws(MeshError) -> [MaskRule] {
  try list(texts, "--mask", or: standard) { (text) throws(MeshError) in
    try choice(text, "--mask", of: [MaskRule.full, .causal], named: \.name)
  }
}
