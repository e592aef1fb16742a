package import ElementTypes

extension ElementType {
  /// The index of the first element that is NaN or infinite; nil where all are finite.
  ///
  /// - Precondition: `bytes` holds whole elements. It needs no alignment.
  package func firstNonfinite(in bytes: UnsafeRawBufferPointer) -> Int? {
    precondition(bytes.count % byteCount == 0, "firstNonfinite: half an element")
    switch self {
    case .float32: return Self.firstFilled(0x7F80_0000 as UInt32, in: bytes)
    case .float16: return Self.firstFilled(0x7C00 as UInt16, in: bytes)
    case .bfloat16: return Self.firstFilled(0x7F80 as UInt16, in: bytes)
    }
  }

  /// The index of the first word with all bits of the exponent mask set.
  @inline(__always)
  private static func firstFilled<Word: FixedWidthInteger & UnsignedInteger & BitwiseCopyable>(
    _ mask: Word, in bytes: UnsafeRawBufferPointer
  ) -> Int? {
    guard let base = bytes.baseAddress else { return nil }
    let stride = MemoryLayout<Word>.size
    let count = bytes.count / stride
    var start = 0
    // Blocks first, without a way out inside them: that is what the compiler can vectorise.
    while start < count {
      let end = min(start + 1024, count)
      var found: Word = 0
      for index in start..<end {
        let word = base.loadUnaligned(fromByteOffset: index &* stride, as: Word.self)
        found |= word & mask == mask ? 1 : 0
      }
      if found != 0 {
        return (start..<end).first {
          base.loadUnaligned(fromByteOffset: $0 &* stride, as: Word.self) & mask == mask
        }
      }
      start = end
    }
    return nil
  }
}
