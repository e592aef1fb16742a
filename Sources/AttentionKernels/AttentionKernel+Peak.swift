internal import KernelsAVX2
internal import KernelsAVX512
internal import KernelsBaseline

extension AttentionKernel {
  /// Runs `iterations` steps of independent full-width multiply-add chains in registers: time it,
  /// and `peakFlopsPerIteration` gives the peak of one core. Returns a checksum to be used.
  ///
  /// 16 chains for AVX-512, 12 for AVX2 and for the baseline (which multiplies, then adds): more
  /// than latency times issue width in each case, and they fit the registers.
  package func fmaPeakLoop(iterations: Int) -> Float {
    switch level {
    case .baseline: Baseline.peak(iterations: iterations)
    case .avx2: AVX2.peak(iterations: iterations)
    case .avx512: AVX512.peak(iterations: iterations)
    }
  }

  /// Floating-point operations of one step of `fmaPeakLoop`.
  package var peakFlopsPerIteration: Int {
    switch level {
    case .baseline: Baseline.peakFlopsPerIteration
    case .avx2: AVX2.peakFlopsPerIteration
    case .avx512: AVX512.peakFlopsPerIteration
    }
  }
}
