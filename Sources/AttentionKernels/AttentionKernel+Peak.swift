extension AttentionKernel {
  /// Runs `iterations` steps of independent full-width multiply-add chains in registers: time it,
  /// and `peakFlopsPerIteration` gives the peak of one core. Returns a checksum to be used.
  ///
  /// 16 chains for AVX-512, 12 for AVX2 and for the baseline (which multiplies, then adds): more
  /// than latency times issue width in each case, and they fit the registers.
  package func fmaPeakLoop(iterations: Int) -> Float {
    level.doors.peak(iterations: iterations)
  }

  /// Floating-point operations of one step of `fmaPeakLoop`.
  package var peakFlopsPerIteration: Int {
    level.doors.peakFlopsPerIteration
  }

  /// The same for products of bfloat16 pairs: of the CPU's dot product, where the level has one.
  package func pairPeakLoop(iterations: Int) -> Float {
    level.pairDoors.pairPeak(iterations: iterations)
  }

  package var pairPeakFlopsPerIteration: Int { level.pairDoors.pairPeakFlopsPerIteration }
}
