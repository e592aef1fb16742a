internal import CChecksums

/// The CPU levels that the kernels are compiled for, slowest first.
package enum KernelLevel: Sendable, Comparable, CaseIterable {
  case baseline
  case avx2
  case avx512
  /// AVX-512 with the bfloat16 dot product: its own with bfloat16 operands, with float32 that of `avx512`.
  case avx512bf16
  /// On arm64 only.
  case neon

  /// The level called `name` ("baseline", "avx2", "avx512", "avx512bf16", "neon"), whether or not this CPU supports it.
  package init?(name: String) {
    guard let level = KernelLevel.allCases.first(where: { $0.name == name }) else { return nil }
    self = level
  }

  /// The fastest level that this CPU supports.
  package static var best: KernelLevel {
    KernelLevel.allCases.last(where: \.isSupported) ?? .baseline
  }

  package var name: String {
    switch self {
    case .baseline: "baseline"
    case .avx2: "avx2"
    case .avx512: "avx512"
    case .avx512bf16: "avx512bf16"
    case .neon: "neon"
    }
  }

  /// Whether this CPU has the level's instructions.
  package var isSupported: Bool {
    switch self {
    case .baseline: true
    case .avx2: attnmesh_cpu_has_avx2() != 0
    case .avx512: attnmesh_cpu_has_avx512() != 0
    case .avx512bf16:
      attnmesh_cpu_has_avx512() != 0 && attnmesh_cpu_has_bfloat16() != 0 && Self.hasExactDotProduct
    case .neon: Self.isArm64
    }
  }

  private static var isArm64: Bool {
    #if arch(arm64)
    true
    #else
    false
    #endif
  }

  /// What the bits of a result depend on: two levels of one class give equal bits. Part of a job's
  /// numerics fingerprint; a new version whenever an operation or its order changes. With float32
  /// operands; `bfloat16Class` with bfloat16 ones.
  package var arithmeticClass: String {
    switch self {
    case .baseline: "muladd-f32-v1"
    case .avx2, .avx512, .avx512bf16: "fma-f32-v1"
    // The same operations in the same order; a class of its own as long as nobody has compared bits.
    case .neon: "fma-f32-arm64-v1"
    }
  }

  /// What the bits of a result with bfloat16 operands depend on. The dot product flushes subnormal
  /// numbers, and a CPU's may sum in another way than the documentation says: a class of its own.
  package var bfloat16Class: String {
    switch self {
    case .baseline: "muladd-bf16-v1"
    case .avx2, .avx512: "fma-bf16-v1"
    case .avx512bf16: "dot-bf16-v1"
    case .neon: "fma-bf16-arm64-v1"
    }
  }
}
