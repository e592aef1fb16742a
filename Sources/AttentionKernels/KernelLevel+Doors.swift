internal import KernelsAVX2
internal import KernelsAVX512
internal import KernelsBaseline

#if arch(arm64)
internal import KernelsNEON
#endif

extension Baseline: KernelDoors {}
extension AVX2: KernelDoors {}
extension AVX512: KernelDoors {}
#if arch(arm64)
extension NEON: KernelDoors {}
#endif

extension KernelLevel {
  var doors: any KernelDoors.Type {
    switch self {
    case .baseline: Baseline.self
    case .avx2: AVX2.self
    case .avx512: AVX512.self
    case .neon: Self.neonDoors
    }
  }

  private static var neonDoors: any KernelDoors.Type {
    #if arch(arm64)
    NEON.self
    #else
    preconditionFailure("a program for another CPU has no neon")
    #endif
  }
}
