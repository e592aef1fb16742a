package import AttentionKernels
internal import FoldEngine
internal import Glibc
package import MeshCore
package import MeshRuntime

/// One thread's folds, as a worker does them, against the multiply-add peak of the same core, taken
/// in turn in the same run.
package struct KernelBench {
  package var headDimensions = [64, 128]
  package var masks = Mask.allCases
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
    /// Times as fast as torch, packing included; nil without one.
    package let overTorch: Spread?
    package let rowsVerified: Int
  }

  package struct Result: Encodable, Sendable {
    package let tokens: Int
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
          guard level == .best, dimension == 64 || dimension == 128 else { continue }
          findings.goals.append(
            Goal(
              "\(name): share of peak", item.shareOfPeak.median,
              atLeast: dimension == 64 ? 0.85 : 0.9))
          findings.goals.append(
            Goal(
              "\(name): share of peak, backward", item.backwardShareOfPeak.median,
              atLeast: dimension == 64 ? 0.78 : 0.82))
          if let ratio = item.overTorch {
            findings.goals.append(
              Goal("\(name): times as fast as torch", ratio.median, atLeast: 2.2))
          }
        }
      }
    }
    return Result(
      tokens: tokens, cases: cases, machineCPUShare: mark.usage.machineShare, findings: findings)
  }

  private func measure(
    _ level: KernelLevel, _ dimension: Int, _ mask: Mask, _ findings: inout Findings
  ) throws(MeshError) -> Case {
    let kernel = AttentionKernel(level: level)
    let head = HeadBench(kernel: kernel, headDimension: dimension, tokens: tokens, mask: mask)
    head.pack()
    head.fold()
    let verified = head.verify(&findings)
    // Touches the memory of the states once: what is measured is the fold. A fold of the first tile
    // begins with fresh states by itself.
    head.reset()
    head.fold()
    let (folds, peaks) = besidePeak(kernel, flops: head.flops, &findings) { head.fold() }
    BackwardHead(kernel: kernel, headDimension: dimension, tokens: 320, mask: mask)
      .verify(&findings)
    let backward = BackwardHead(
      kernel: kernel, headDimension: dimension, tokens: tokens, mask: mask)
    backward.run()
    let (steps, backwardPeaks) = besidePeak(kernel, flops: backward.flops, &findings) {
      backward.run()
    }
    var (keys, queries): ([Double], [Double]) = ([], [])
    for _ in 0..<repetitions {
      keys.append(seconds { head.packKeys() } * 1e6 / Double(head.keyTileCount))
      queries.append(seconds { head.packQueries() } * 1e6 / Double(head.queryTileCount))
    }
    let overTorch = try torch.map { (torch) throws(MeshError) in
      try compare(head, with: torch, mask)
    }
    return Case(
      level: level.name, headDimension: dimension, mask: mask.name, gflopsPerSecond: Spread(folds),
      peakGflopsPerSecond: Spread(peaks), shareOfPeak: Spread(zip(folds, peaks).map { $0 / $1 }),
      packKeyTileMicroseconds: Spread(keys), packQueryTileMicroseconds: Spread(queries),
      backwardGflopsPerSecond: Spread(steps),
      backwardShareOfPeak: Spread(zip(steps, backwardPeaks).map { $0 / $1 }),
      overTorch: overTorch, rowsVerified: verified)
  }

  /// GFLOP/s of some work and of the peak loop, in turn, with as many operations: both see the same
  /// stretch of clock rate and neighbours.
  private func besidePeak(
    _ kernel: AttentionKernel, flops: Double, _ findings: inout Findings, _ work: () -> Void
  ) -> (work: [Double], peak: [Double]) {
    let steps = max(1, Int(flops / Double(kernel.peakFlopsPerIteration)))
    var (rates, peaks): ([Double], [Double]) = ([], [])
    var checksum: Float = 0
    for repetition in 0..<repetitions {
      let peak = {
        peaks.append(
          Double(steps * kernel.peakFlopsPerIteration) / 1e9
            / seconds { checksum += kernel.fmaPeakLoop(iterations: steps) })
      }
      if repetition % 2 == 0 { peak() }
      rates.append(flops / 1e9 / seconds(work))
      if repetition % 2 == 1 { peak() }
    }
    findings.expect(checksum.isFinite, "the peak loop gave \(checksum)")
    return (rates, peaks)
  }

  /// Whole heads, in turn.
  private func compare(
    _ head: HeadBench, with torch: TorchPeer, _ mask: Mask
  ) throws(MeshError) -> Spread {
    var (ours, theirs): ([Double], [Double]) = ([], [])
    for repetition in 0..<repetitions {
      let attend = { ours.append(seconds { head.attend() }) }
      if repetition % 2 == 0 { attend() }
      theirs.append(
        try torch.seconds(
          tokens: tokens, headDimension: head.headDimension, isCausal: mask == .causal))
      if repetition % 2 == 1 { attend() }
    }
    return Spread(zip(theirs, ours).map { $0 / $1 })
  }
}

/// Processor time that some work takes on this thread: what others take of the core doesn't count.
func seconds(_ work: () -> Void) -> Double {
  func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }
  let start = now()
  work()
  return max(now() - start, 1e-9)
}
