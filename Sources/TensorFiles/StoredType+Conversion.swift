internal import ElementTypes

extension StoredType {
  /// Puts stored numbers into the bytes of `element`: the order of bytes turned, float64 rounded to the
  /// nearest float32, ties to even; what is too large becomes infinity.
  ///
  /// - Precondition: both buffers hold the same number of elements. Neither needs alignment.
  func convert(_ bytes: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) {
    guard let source = bytes.baseAddress, let target = target.baseAddress else { return }
    let count = bytes.count / byteCount
    switch byteCount {
    case 2:
      for index in 0..<count {
        let word = source.loadUnaligned(fromByteOffset: index &* 2, as: UInt16.self)
        target.storeBytes(of: word.byteSwapped, toByteOffset: index &* 2, as: UInt16.self)
      }
    case 4:
      for index in 0..<count {
        let word = source.loadUnaligned(fromByteOffset: index &* 4, as: UInt32.self)
        target.storeBytes(of: word.byteSwapped, toByteOffset: index &* 4, as: UInt32.self)
      }
    default:
      for index in 0..<count {
        let word = source.loadUnaligned(fromByteOffset: index &* 8, as: UInt64.self)
        let double = Double(bitPattern: isBigEndian ? word.byteSwapped : word)
        target.storeBytes(of: Float(double).bitPattern, toByteOffset: index &* 4, as: UInt32.self)
      }
    }
  }

  /// The number in one element's bytes, for people to look at.
  func number(_ bytes: [UInt8]) -> Double {
    let ordered = isBigEndian ? bytes : bytes.reversed()
    let word = ordered.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    switch (kind, byteCount) {
    case (.boolean, _), (.unsigned, _): return Double(word)
    case (.signed, _):
      let unused = UInt64(64 - byteCount * 8)
      return Double(Int64(bitPattern: word << unused) >> Int64(unused))
    case (.floating, 8): return Double(bitPattern: word)
    case (.floating, 4): return Double(Float(bitPattern: UInt32(truncatingIfNeeded: word)))
    case (.brain, _): return Double(Float(bitPattern: UInt32(truncatingIfNeeded: word << 16)))
    case (.floating, _):
      var float: Float = 0
      let half = UInt16(truncatingIfNeeded: word)
      withUnsafeBytes(of: half) { bytes in
        withUnsafeMutablePointer(to: &float) {
          ElementType.float16.decode(bytes, into: UnsafeMutableBufferPointer(start: $0, count: 1))
        }
      }
      return Double(float)
    }
  }
}
