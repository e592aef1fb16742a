internal import CBFloat16
package import KernelBody

/// What AVX-512 with bfloat16 has beyond AVX-512: products of bfloat16 pairs by the CPU's dot product, in
/// register tiles of 6 rows x 64 columns.
///
/// Doors, like those of the other levels: none may be inlined into a caller.
package enum AVX512BF16: FusedLevel {
  /// Products by the dot product; the rest of a fold is the level's own.
  private enum Dot: CPULevel {
    @inline(__always)
    static func multiplyAdd(_ sum: Lanes, _ left: Lanes, _ right: Lanes) -> Lanes {
      #if arch(x86_64)
      attnmesh_dot_pairs(sum, left, right)
      #else
      BFloat16Pairs<AVX512BF16>.multiplyAdd(sum, left, right)
      #endif
    }

    @inline(__always)
    static func multiplyAdd(_ sum: Float, _ left: Float, _ right: Float) -> Float {
      sum.addingProduct(left, right)
    }
  }

  @inline(never)
  package static func foldPairs(_ arguments: FoldArguments) {
    foldTile(SixRows<FourVectors>.self, Dot.self, arguments)
  }

  @inline(never)
  package static func pairPeak(iterations: Int) -> Float {
    Dot.peakLoop(SixRows<FourVectors>.self, iterations: iterations)
  }

  package static var pairPeakFlopsPerIteration: Int { 2 * peakFlops(SixRows<FourVectors>.self) }

  /// sum + left * right of sixteen words, all on 64-byte boundaries: for a comparison with
  /// `BFloat16Pairs`.
  @inline(never)
  package static func dot(
    _ sum: UnsafeMutablePointer<Float>, _ left: UnsafePointer<Float>,
    _ right: UnsafePointer<Float>
  ) {
    storeLanes(
      Dot.multiplyAdd(loadLanes(sum), loadLanes(left), loadLanes(right)), to: sum)
  }
}
