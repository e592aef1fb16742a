internal import AttentionKernels
internal import MeshCore

/// K and V of some K/V heads, all keys of them, packed for the backward pass, and their dK and dV. One
/// *block* is a K/V tile of one head, and only one thread at a time adds to it.
final class GradientKeys: Sendable {
  let job: AttentionJob
  /// Flattened K/V heads.
  let heads: Range<Int>
  let layout: PackedLayout
  private let packed: AlignedBuffer
  private let gradients: AlignedBuffer
  private let packedStride: Int
  private let gradientStride: Int

  init(job: AttentionJob, heads: Range<Int>) {
    self.job = job
    self.heads = heads
    layout = PackedLayout(headDimension: job.headDimension)
    (packedStride, gradientStride) = Self.strides(job, layout)
    let blocks = heads.count * Self.tileCount(job)
    packed = AlignedBuffer(count: blocks * packedStride)
    gradients = AlignedBuffer(count: blocks * 2 * gradientStride)
  }

  static func tileCount(_ job: AttentionJob) -> Int {
    (job.keyTokens + Plan.keyTileKeys - 1) / Plan.keyTileKeys
  }

  /// Bytes of one head.
  static func bytesPerHead(_ job: AttentionJob) -> Int {
    let (packed, gradient) = strides(job, PackedLayout(headDimension: job.headDimension))
    return tileCount(job) * (packed + 2 * gradient) * 4
  }

  private static func strides(
    _ job: AttentionJob, _ layout: PackedLayout
  ) -> (packed: Int, gradient: Int) {
    let keys = min(job.keyTokens, Plan.keyTileKeys)
    func onLines(_ floats: Int) -> Int { (floats + 15) & ~15 }
    return (
      onLines(layout.backwardTileFloats(keyCount: keys)),
      onLines(layout.gradientFloats(rowCount: keys))
    )
  }

  var tileCount: Int { Self.tileCount(job) }

  /// Token positions of a K/V tile.
  func keys(of tile: Int) -> Range<Int> {
    tile * Plan.keyTileKeys..<min((tile + 1) * Plan.keyTileKeys, job.keyTokens)
  }

  private func block(_ tile: Int, _ head: Int) -> Int {
    (head - heads.lowerBound) * tileCount + tile
  }

  func packed(_ tile: Int, head: Int) -> UnsafeMutablePointer<Float> {
    packed.floats + block(tile, head) * packedStride
  }

  func keyGradients(_ tile: Int, head: Int) -> UnsafeMutablePointer<Float> {
    gradients.floats + block(tile, head) * 2 * gradientStride
  }

  func valueGradients(_ tile: Int, head: Int) -> UnsafeMutablePointer<Float> {
    keyGradients(tile, head: head) + gradientStride
  }
}

/// Packing a K/V tile, and emptying its gradients: an item for each head.
struct GradientKeysWork: ItemisedWork {
  let kernel: AttentionKernel
  let target: GradientKeys
  let tile: Int
  /// Rows [heads][keys][d] of K and of V.
  let keys: PartPayload
  let values: PartPayload

  var itemCount: Int { target.heads.count }

  func perform(_ item: Int, scratch: FoldScratch) {
    let (head, count) = (target.heads.lowerBound + item, target.keys(of: tile).count)
    let bytes = count * target.job.headDimension * target.job.element.byteCount
    guard let keys = keys.bytes.baseAddress, let values = values.bytes.baseAddress else { return }
    kernel.packBackwardTile(
      keys: keys + item * bytes, values: values + item * bytes, type: target.job.element,
      keyCount: count, layout: target.layout, into: target.packed(tile, head: head))
    let floats = target.layout.gradientFloats(rowCount: count)
    target.keyGradients(tile, head: head).update(repeating: 0, count: floats)
    target.valueGradients(tile, head: head).update(repeating: 0, count: floats)
  }
}

/// dK and dV of a K/V tile, as they are handed out: an item for each head.
package struct KeyGradientsWork: ItemisedWork {
  let kernel: AttentionKernel
  let source: GradientKeys
  let tile: Int
  /// dK, then dV: [heads][keys][d] each.
  private let finished: AlignedBuffer

  init(kernel: AttentionKernel, source: GradientKeys, tile: Int) {
    self.kernel = kernel
    self.source = source
    self.tile = tile
    let rows = source.heads.count * source.keys(of: tile).count
    finished = AlignedBuffer(count: 2 * rows * source.job.headDimension)
  }

  package var itemCount: Int { source.heads.count }

  package func perform(_ item: Int, scratch: FoldScratch) {
    let (job, head) = (source.job, source.heads.lowerBound + item)
    let count = source.keys(of: tile).count
    let target = finished.floats + item * count * job.headDimension
    kernel.finishGradients(
      source.keyGradients(tile, head: head), scale: Double(job.scale), rowCount: count,
      layout: source.layout, into: target)
    kernel.finishGradients(
      source.valueGradients(tile, head: head), scale: 1, rowCount: count, layout: source.layout,
      into: target + finished.count / 2)
  }

  /// dK or dV, [keys][d] float32, of one flattened head.
  func rows(ofValues isOfValues: Bool, head: Int) -> UnsafeRawBufferPointer {
    let bytes = source.keys(of: tile).count * source.job.headDimension * 4
    let start = (isOfValues ? finished.count * 2 : 0) + (head - source.heads.lowerBound) * bytes
    return UnsafeRawBufferPointer(rebasing: finished.bytes[start..<start + bytes])
  }
}
