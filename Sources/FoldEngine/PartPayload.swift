/// The payload of one part of a tile, for work that is done later: query rows [heads][tokens][d], or
/// keys [heads][tokens][d], then values.
///
/// The unchecked conformance is right as the bytes don't change while their owner lives.
package struct PartPayload: @unchecked Sendable {
  let bytes: UnsafeRawBufferPointer
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
}
