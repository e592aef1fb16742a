internal import AttentionKernels
internal import MeshCore

/// A K/V tile of all heads in the layout that the kernel reads. Immutable once it is packed.
struct PackedKeyTile: Sendable {
  let tile: Int
  let keys: Range<Int>
  let headCount: Int
  let layout: PackedLayout
  private let buffer: AlignedBuffer
  private let stride: Int

  init(plan: Plan, tile: Int, layout: PackedLayout) {
    self.tile = tile
    self.layout = layout
    keys = plan.keys(of: tile)
    headCount = plan.job.flatKeyValueHeads
    stride = (layout.tileFloats(keyCount: keys.count) + 15) & ~15
    buffer = AlignedBuffer(count: headCount * stride)
  }

  func hasEqualBits(as other: PackedKeyTile) -> Bool {
    buffer.count == other.buffer.count
      && (0..<buffer.count).allSatisfy {
        buffer.floats[$0].bitPattern == other.buffer.floats[$0].bitPattern
      }
  }

  func head(_ head: Int) -> UnsafeMutablePointer<Float> { buffer.floats + head * stride }
}
