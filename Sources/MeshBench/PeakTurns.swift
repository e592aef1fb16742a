internal import AttentionKernels

/// Some work and the peak loop in turn, as many operations each, so that both see the same stretch of
/// clock rate and neighbours.
struct PeakTurns {
  let kernel: AttentionKernel
  let repetitions: Int

  /// GFLOP/s of work of `flops` operations, and of the peak loop, by processor time.
  func rates(
    flops: Double, of operands: Operands = .float32, _ findings: inout Findings,
    _ work: () -> Void
  ) -> (work: [Double], peak: [Double]) {
    let isPaired = operands == .bfloat16
    let stepFlops = isPaired ? kernel.pairPeakFlopsPerIteration : kernel.peakFlopsPerIteration
    let steps = max(1, Int(flops / Double(stepFlops)))
    var (rates, peaks): ([Double], [Double]) = ([], [])
    var checksum: Float = 0
    for repetition in 0..<repetitions {
      let peak = {
        peaks.append(
          Double(steps * stepFlops) / 1e9
            / seconds {
              checksum +=
                isPaired
                ? kernel.pairPeakLoop(iterations: steps) : kernel.fmaPeakLoop(iterations: steps)
            })
      }
      if repetition % 2 == 0 { peak() }
      rates.append(flops / 1e9 / seconds(work))
      if repetition % 2 == 1 { peak() }
    }
    findings.expect(checksum.isFinite, "the peak loop gave \(checksum)")
    return (rates, peaks)
  }

  /// What two threads gain over one, over what two copies of the peak loop gain over one, by the wall
  /// clock: 1 where threads cost one another nothing but what they cost the peak loop.
  func twoThreads(flops: Double, _ work: (Int) -> Void) -> [Double] {
    let steps = max(1, Int(flops / Double(kernel.peakFlopsPerIteration)))
    // Threads write their checksums apart.
    let checksums = UnsafeMutablePointer<Float>.allocate(capacity: 64)
    defer { checksums.deallocate() }
    let peak: (Int) -> Void = { checksums[$0 * 32] = kernel.fmaPeakLoop(iterations: steps) }
    return (0..<repetitions).map { repetition in
      let first = repetition % 2 == 0 ? wallSeconds(1, peak) / wallSeconds(2, peak) : 0
      let gain = wallSeconds(1, work) / wallSeconds(2, work)
      let peakGain = first > 0 ? first : wallSeconds(1, peak) / wallSeconds(2, peak)
      return gain / peakGain
    }
  }
}
