internal import KernelBody
internal import KernelsAVX2
internal import KernelsAVX512
internal import KernelsBFloat16
internal import KernelsBaseline

#if arch(arm64)
internal import KernelsNEON
#endif

extension Baseline: KernelDoors {}
extension AVX2: KernelDoors {}
extension AVX512: KernelDoors {}
extension AVX512BF16: PairDoors {}
#if arch(arm64)
extension NEON: KernelDoors {}
#endif

extension KernelLevel {
  var doors: any KernelDoors.Type {
    switch self {
    case .baseline: Baseline.self
    case .avx2: AVX2.self
    case .avx512, .avx512bf16: AVX512.self
    case .neon: Self.neonDoors
    }
  }

  var pairDoors: any PairDoors.Type { self == .avx512bf16 ? AVX512BF16.self : doors }

  private static var neonDoors: any KernelDoors.Type {
    #if arch(arm64)
    NEON.self
    #else
    preconditionFailure("a program for another CPU has no neon")
    #endif
  }
}

extension KernelLevel {
  /// Whether the CPU's bfloat16 dot product gives the bits that its documentation says, and that other
  /// levels compute step by step: on numbers without subnormal ones, which it flushes. Only to be asked
  /// on a CPU that has it.
  static let hasExactDotProduct: Bool = {
    let floats = UnsafeMutableRawPointer.allocate(byteCount: 4 * 64, alignment: 64)
      .bindMemory(to: Float.self, capacity: 64)
    defer { floats.deallocate() }
    // A linear congruential generator (Knuth, The Art of Computer Programming 2, 3.3.4).
    var state: UInt64 = 1
    func random() -> Float {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Float(Int32(truncatingIfNeeded: state >> 32)) / 0x1p31
    }
    return (0..<64).allSatisfy { _ in
      let (sum, left, right) = (floats, floats + 16, floats + 32)
      for lane in 0..<16 {
        sum[lane] = random()
        let (a, b, c, d) = (random(), random(), random(), random())
        left[lane] = Baseline.bfloat16Words(low: Lanes(repeating: a), high: Lanes(repeating: b))[0]
        right[lane] = Baseline.bfloat16Words(low: Lanes(repeating: c), high: Lanes(repeating: d))[0]
      }
      let expected = BFloat16Pairs<Baseline>.multiplyAdd(
        loadLanes(sum), loadLanes(left), loadLanes(right))
      AVX512BF16.dot(sum, left, right)
      return loadLanes(sum) == expected
    }
  }()
}
