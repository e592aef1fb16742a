internal import AttentionKernels
internal import MeshCore

/// A K/V tile in the layout that the kernel reads. Immutable once it is packed.
struct PackedKeyTile: Sendable {
  let tile: Int
  let keys: Range<Int>
  /// Its flattened K/V heads.
  let heads: Range<Int>
  let layout: PackedLayout
  private let buffer: AlignedBuffer
  private let stride: Int

  init(plan: Plan, tile: Int, layout: PackedLayout) {
    self.tile = tile
    self.layout = layout
    keys = plan.keys(of: tile)
    let first = plan.firstHead(of: .keyValue(tile))
    heads = first..<first + plan.headCount(.keyValue)
    stride = (layout.tileFloats(keyCount: keys.count) + 15) & ~15
    buffer = AlignedBuffer(count: heads.count * stride)
  }

  func hasEqualBits(as other: PackedKeyTile) -> Bool {
    buffer.count == other.buffer.count
      && (0..<buffer.count).allSatisfy {
        buffer.floats[$0].bitPattern == other.buffer.floats[$0].bitPattern
      }
  }

  /// - Parameter head: flattened, of its heads.
  func head(_ head: Int) -> UnsafeMutablePointer<Float> {
    buffer.floats + (head - heads.lowerBound) * stride
  }
}
