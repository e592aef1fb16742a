/// Floats on a 64-byte boundary, as kernels want them.
///
/// The unchecked conformance is what makes tensors cheap to hand to compute threads: a buffer is
/// either immutable by then (tiles that are folded) or each item of work touches what is its own (heads
/// that are packed, rows of states), and the work queue's lock orders what comes before and after.
package final class AlignedBuffer: @unchecked Sendable {
  package let floats: UnsafeMutablePointer<Float>
  package let count: Int

  package init(count: Int) {
    self.count = count
    let raw = UnsafeMutableRawPointer.allocate(byteCount: max(64, count * 4), alignment: 64)
    floats = raw.bindMemory(to: Float.self, capacity: max(16, count))
  }

  deinit { UnsafeMutableRawPointer(floats).deallocate() }

  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: floats, count: count * 4) }
}
