extension CPULevel {
  /// Widens `count` elements of a row to float32, which is exact, and fills up to `paddedCount`
  /// with zeros. `source` needs no alignment.
  ///
  /// Plain loops: they vectorise (to `vcvtph2ps` for float16 where the CPU has it). SIMD
  /// conversions of the standard library would be emitted as functions of their own under one name
  /// per program, so that the linker could hand AVX-512 code to the baseline level.
  @_alwaysEmitIntoClient @inline(__always)
  package static func widenRow(
    _ source: UnsafeRawPointer, _ type: ElementType, count: Int,
    into target: UnsafeMutablePointer<Float>, paddedCount: Int
  ) {
    var index = 0
    switch type {
    case .float32:
      while index < count {
        target[index] = source.loadUnaligned(fromByteOffset: index &* 4, as: Float.self)
        index &+= 1
      }
    case .float16:
      while index < count {
        target[index] = Float(source.loadUnaligned(fromByteOffset: index &* 2, as: Float16.self))
        index &+= 1
      }
    case .bfloat16:
      while index < count {
        let bits = source.loadUnaligned(fromByteOffset: index &* 2, as: UInt16.self)
        target[index] = Float(bitPattern: UInt32(truncatingIfNeeded: bits) &<< 16)
        index &+= 1
      }
    }
    while index < paddedCount {
      target[index] = 0
      index &+= 1
    }
  }
}
