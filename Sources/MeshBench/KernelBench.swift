package import AttentionKernels
internal import FoldEngine
internal import MeshCore
package import MeshRuntime

/// Folds, as a worker does them, against the multiply-add peak of the same core, taken
/// in turn in the same run; the backward pass likewise; and whole passes against torch.
package struct KernelBench {
  package var headDimensions = [64, 128]
  package var masks = [MaskRule.full, .causal]
  package var tokens = 4_096
  package var repetitions = 11
  package var levels: [KernelLevel]
  /// What attention of a whole head is compared with; nil for nothing.
  package var torch: TorchPeer?

  package init(levels: [KernelLevel]) { self.levels = levels }

  package struct Case: Encodable, Sendable {
    package let level: String
    package let headDimension: Int
    package let mask: String
    /// Of useful operations: 4 · d for each (query, key) pair that the mask lets through.
    package let gflopsPerSecond: Spread
    package let peakGflopsPerSecond: Spread
    /// Of neighbours in time.
    package let shareOfPeak: Spread
    /// To bring one head of a K/V tile, or of a query tile, into the kernel's layout.
    package let packKeyTileMicroseconds: Spread
    package let packQueryTileMicroseconds: Spread
    /// dQ, dK and dV: of useful operations, 10 · d for each pair.
    package let backwardGflopsPerSecond: Spread
    package let backwardShareOfPeak: Spread
    /// What two threads gain over one, over what two copies of the peak loop gain.
    package let twoThreads: Spread
    /// Bytes that folds move between the first cache and those behind it, a second: modelled, from what
    /// a band of rows reads and writes.
    package let modelledTrafficGigabytesPerSecond: Spread
    /// Folds with bfloat16 operands, as a share of the peak of products of pairs: of the CPU's dot
    /// product where the level has one, of the same step by step elsewhere.
    package let bfloat16GflopsPerSecond: Spread
    package let bfloat16ShareOfPeak: Spread
    /// nil without a torch.
    package let overTorch: TorchRatios?
    package let rowsVerified: Int
  }

  package struct Result: Encodable, Sendable {
    package let tokens: Int
    /// Version of the torch that was compared with.
    package let torch: String?
    package let cases: [Case]
    /// Share of all cores that was in use: a neighbour on the same core costs folds more than the
    /// peak loop, which needs no memory.
    package let machineCPUShare: Double
    package let findings: Findings
  }

  package func run(
    isCancelled: () -> Bool, progress: (String) -> Void
  ) throws(MeshError) -> Result {
    let mark = CPUUsage.Mark()
    var findings = Findings()
    var cases: [Case] = []
    for level in levels {
      for dimension in headDimensions {
        for mask in masks {
          if isCancelled() { throw MeshError(.interrupted, "interrupted") }
          let item = try measure(level, dimension, mask, &findings)
          cases.append(item)
          let name = "\(level.name), d \(dimension), \(mask.name)"
          progress(name)
          if level == .best { findings.goals += goals(item, name) }
        }
      }
    }
    return Result(
      tokens: tokens, torch: torch?.version, cases: cases, machineCPUShare: mark.usage.machineShare,
      findings: findings)
  }

  /// Bounds for head dimensions that there are any for.
  private func goals(_ item: Case, _ name: String) -> [Goal] {
    let shares: [Int: Double] = [40: 0.65, 64: 0.85, 80: 0.8, 96: 0.8, 128: 0.9, 256: 0.8]
    var goals =
      shares[item.headDimension].map {
        [Goal("\(name): share of peak", item.shareOfPeak.median, atLeast: $0)]
      } ?? []
    guard [64, 128].contains(item.headDimension) else { return goals }
    goals.append(
      Goal(
        "\(name): share of peak, backward", item.backwardShareOfPeak.median,
        atLeast: item.headDimension == 64 ? 0.78 : 0.82))
    if item.level == KernelLevel.avx512bf16.name {
      goals.append(
        Goal(
          "\(name): share of the dot product's peak, bfloat16", item.bfloat16ShareOfPeak.median,
          atLeast: item.headDimension == 64 ? 0.65 : 0.75))
    }
    goals.append(Goal("\(name): two threads", item.twoThreads.median, atLeast: 0.97))
    guard let ratios = item.overTorch else { return goals }
    for (text, ratio, bound) in [
      ("float32", ratios.float32, 2.2), ("float32, two threads", ratios.float32TwoThreads, 2.2),
      ("bfloat16", ratios.bfloat16, 3.5), ("backward", ratios.backward, 2.3),
      ("backward, two threads", ratios.backwardTwoThreads, 2.3),
    ] {
      goals.append(Goal("\(name): × torch, \(text)", ratio.median, atLeast: bound))
    }
    return goals
  }

  private func measure(
    _ level: KernelLevel, _ dimension: Int, _ mask: MaskRule, _ findings: inout Findings
  ) throws(MeshError) -> Case {
    let kernel = AttentionKernel(level: level)
    let heads = (0..<2).map { _ in
      HeadBench(kernel: kernel, headDimension: dimension, tokens: tokens, mask: mask)
    }
    let head = heads[0]
    head.pack()
    head.fold()
    let verified = head.verify(&findings)
    // Touches the memory of the states once: what is measured is the fold. A fold of the first tile
    // begins with fresh states by itself.
    for head in heads {
      head.reset()
      head.packKeys()
      head.fold()
    }
    let turns = PeakTurns(kernel: kernel, repetitions: repetitions)
    let (folds, peaks) = turns.rates(flops: head.flops, &findings) { head.fold() }
    BackwardHead(kernel: kernel, headDimension: dimension, tokens: 320, mask: mask)
      .verify(&findings)
    let backward = BackwardHead(
      kernel: kernel, headDimension: dimension, tokens: tokens, mask: mask)
    backward.run()
    let (steps, backwardPeaks) = turns.rates(flops: backward.flops, &findings) { backward.run() }
    let paired = HeadBench(
      kernel: kernel, headDimension: dimension, tokens: tokens, mask: mask, element: .bfloat16,
      operands: .bfloat16)
    paired.pack()
    paired.fold()
    _ = paired.verify(&findings)
    paired.reset()
    paired.packKeys()
    let (pairs, pairPeaks) = turns.rates(flops: head.flops, of: .bfloat16, &findings) {
      paired.fold()
    }
    var (keys, queries): ([Double], [Double]) = ([], [])
    for _ in 0..<repetitions {
      keys.append(seconds { head.packKeys() } * 1e6 / Double(head.keyTileCount))
      queries.append(seconds { head.packQueries() } * 1e6 / Double(head.queryTileCount))
    }
    let ratios = try torch.map { (torch) throws(MeshError) in
      try TorchRatios(
        torch, kernel: kernel, headDimension: dimension, tokens: tokens, mask: mask,
        repetitions: repetitions)
    }
    return Case(
      level: level.name, headDimension: dimension, mask: mask.name, gflopsPerSecond: Spread(folds),
      peakGflopsPerSecond: Spread(peaks), shareOfPeak: Spread(zip(folds, peaks).map { $0 / $1 }),
      packKeyTileMicroseconds: Spread(keys), packQueryTileMicroseconds: Spread(queries),
      backwardGflopsPerSecond: Spread(steps),
      backwardShareOfPeak: Spread(zip(steps, backwardPeaks).map { $0 / $1 }),
      twoThreads: Spread(turns.twoThreads(flops: head.flops) { heads[$0].fold() }),
      modelledTrafficGigabytesPerSecond: Spread(folds.map { head.trafficBytes / head.flops * $0 }),
      bfloat16GflopsPerSecond: Spread(pairs),
      bfloat16ShareOfPeak: Spread(zip(pairs, pairPeaks).map { $0 / $1 }), overTorch: ratios,
      rowsVerified: verified)
  }
}
