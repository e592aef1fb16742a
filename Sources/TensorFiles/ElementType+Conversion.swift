package import ElementTypes

/// Conversions between stored numbers and Float, a buffer at a time.
///
/// Every loop body is straight integer and float arithmetic with selects, so that the compiler can
/// run it on vectors: the standard library's Float16 calls a function for each element on x86-64
/// below F16C.
extension ElementType {
  /// Decodes stored numbers; exact for every format. NaN stays NaN, with its sign.
  ///
  /// - Precondition: `bytes` holds exactly `floats.count` elements. Neither needs alignment.
  package func decode(
    _ bytes: UnsafeRawBufferPointer, into floats: UnsafeMutableBufferPointer<Float>
  ) {
    precondition(bytes.count == floats.count * byteCount, "decode: buffer sizes differ")
    guard let source = bytes.baseAddress, let target = floats.baseAddress else { return }
    switch self {
    case .float32:
      UnsafeMutableRawPointer(target).copyMemory(from: source, byteCount: bytes.count)
    case .float16:
      for index in 0..<floats.count {
        let half = source.loadUnaligned(fromByteOffset: index &* 2, as: UInt16.self)
        target[index] = ElementType.float(fromFloat16: half)
      }
    case .bfloat16:
      for index in 0..<floats.count {
        let half = source.loadUnaligned(fromByteOffset: index &* 2, as: UInt16.self)
        target[index] = Float(bitPattern: UInt32(half) &<< 16)
      }
    }
  }

  /// Encodes floats, rounded to the nearest stored number, ties to even; what is too large becomes
  /// infinity. NaN stays NaN, with its sign.
  ///
  /// - Precondition: `bytes` has room for exactly `floats.count` elements. Neither needs alignment.
  package func encode(
    _ floats: UnsafeBufferPointer<Float>, into bytes: UnsafeMutableRawBufferPointer
  ) {
    precondition(bytes.count == floats.count * byteCount, "encode: buffer sizes differ")
    guard let source = floats.baseAddress, let target = bytes.baseAddress else { return }
    switch self {
    case .float32:
      target.copyMemory(from: UnsafeRawPointer(source), byteCount: bytes.count)
    case .float16:
      for index in 0..<floats.count {
        let half = ElementType.float16(from: source[index])
        target.storeBytes(of: half, toByteOffset: index &* 2, as: UInt16.self)
      }
    case .bfloat16:
      for index in 0..<floats.count {
        let half = ElementType.bfloat16(from: source[index])
        target.storeBytes(of: half, toByteOffset: index &* 2, as: UInt16.self)
      }
    }
  }

  @inline(__always)
  private static func float(fromFloat16 half: UInt16) -> Float {
    let magnitude = UInt32(half & 0x7FFF)
    let sign = UInt32(half & 0x8000) &<< 16
    // Exponents are rebiased by 127 - 15; infinity and NaN go to the top of the wider range.
    let normal = (magnitude &<< 13) &+ (112 &<< 23)
    let special = normal &+ (112 &<< 23)
    // A subnormal gets the exponent of the smallest normal, whose implicit one is taken off again.
    let one = Float(bitPattern: 113 &<< 23)
    let subnormal = (Float(bitPattern: normal &+ (1 &<< 23)) - one).bitPattern
    let finite = magnitude < 0x0400 ? subnormal : normal
    return Float(bitPattern: (magnitude >= 0x7C00 ? special : finite) | sign)
  }

  @inline(__always)
  private static func float16(from float: Float) -> UInt16 {
    let sign = float.bitPattern & 0x8000_0000
    let magnitude = float.bitPattern ^ sign
    // Adding 0.5 lets the addition round to multiples of 2^-24, float16's smallest step.
    let half = Float(bitPattern: 126 &<< 23)
    let subnormal = (Float(bitPattern: magnitude) + half).bitPattern &- half.bitPattern
    // Half a step less one, and the last kept bit on top: ties go to even, carries to the exponent.
    let normal = (magnitude &- (112 &<< 23) &+ 0xFFF &+ ((magnitude &>> 13) & 1)) &>> 13
    let finite = magnitude < 113 &<< 23 ? subnormal : normal
    let special: UInt32 = magnitude > 0x7F80_0000 ? 0x7E00 : 0x7C00
    let result = magnitude >= 143 &<< 23 ? special : finite
    return UInt16(truncatingIfNeeded: result | sign &>> 16)
  }

  @inline(__always)
  private static func bfloat16(from float: Float) -> UInt16 {
    let bits = float.bitPattern
    let rounded = (bits &+ 0x7FFF &+ ((bits &>> 16) & 1)) &>> 16
    // Rounding could carry a NaN into infinity or past it: keep its top bits and make it quiet.
    let quiet = bits &>> 16 | 0x40
    return UInt16(truncatingIfNeeded: bits & 0x7FFF_FFFF > 0x7F80_0000 ? quiet : rounded)
  }
}
