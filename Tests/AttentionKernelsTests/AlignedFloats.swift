/// Floats on a 64-byte boundary, filled with a NaN so that reading what was never written shows.
final class AlignedFloats {
  let base: UnsafeMutablePointer<Float>
  let count: Int

  init(count: Int) {
    self.count = count
    base = UnsafeMutableRawPointer.allocate(byteCount: max(4 * count, 64), alignment: 64)
      .bindMemory(to: Float.self, capacity: count)
    base.initialize(repeating: .nan, count: count)
  }

  deinit { base.deallocate() }

  var array: [Float] { Array(UnsafeBufferPointer(start: base, count: count)) }

  var bits: [UInt32] { array.map(\.bitPattern) }

  func copy(from other: AlignedFloats) { base.update(from: other.base, count: count) }
}
