/// The payload of one part of a tile, for work that is done later: query rows [heads][tokens][d], or
/// keys [heads][tokens][d], then values.
///
/// The unchecked conformance is right as the bytes don't change while their owner lives.
package struct PartPayload: @unchecked Sendable {
  package let bytes: UnsafeRawBufferPointer
  private let owner: any AnyObject & Sendable

  /// What `owner` owns: it doesn't change while that lives.
  package init(_ bytes: UnsafeRawBufferPointer, owner: any AnyObject & Sendable) {
    self.bytes = bytes
    self.owner = owner
  }

  package init(copying payload: UnsafeRawBufferPointer) {
    let copy = AlignedBuffer(count: (payload.count + 3) / 4)
    let target = UnsafeMutableRawPointer(copy.floats)
    if let base = payload.baseAddress { target.copyMemory(from: base, byteCount: payload.count) }
    self.init(UnsafeRawBufferPointer(start: target, count: payload.count), owner: copy)
  }

  /// Bytes that are filled now and don't change later.
  package init<Failure: Error>(
    byteCount: Int, fill: (UnsafeMutableRawBufferPointer) throws(Failure) -> Void
  ) throws(Failure) {
    let buffer = AlignedBuffer(count: (byteCount + 3) / 4)
    let target = UnsafeMutableRawBufferPointer(start: buffer.floats, count: byteCount)
    try fill(target)
    self.init(UnsafeRawBufferPointer(target), owner: buffer)
  }

  /// The bytes as numbers, of a payload of float32.
  package var floats: [Float] {
    [Float](unsafeUninitializedCapacity: bytes.count / 4) { target, count in
      count = bytes.count / 4
      UnsafeMutableRawBufferPointer(target).copyMemory(
        from: UnsafeRawBufferPointer(rebasing: bytes[..<(count * 4)]))
    }
  }
}
