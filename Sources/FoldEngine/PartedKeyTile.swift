internal import AttentionKernels
internal import MeshCore

/// A K/V tile as its parts came: to be packed ahead or, if it would take too much room
/// packed, by whoever folds a head.
struct PartedKeyTile: Sendable {
  let tile: Int
  let keys: Range<Int>
  private let plan: Plan
  private let parts: [PartPayload]

  init(plan: Plan, tile: Int, parts: [PartPayload]) {
    self.plan = plan
    self.tile = tile
    self.parts = parts
    keys = plan.keys(of: tile)
  }

  /// Brings one of its flattened K/V heads into the layout that the kernel reads.
  func pack(
    head: Int, kernel: AttentionKernel, layout: PackedLayout,
    into target: UnsafeMutablePointer<Float>
  ) {
    let (keyRows, valueRows) = rows(head)
    kernel.packTile(
      keys: keyRows, values: valueRows, type: plan.job.element, keyCount: keys.count,
      layout: layout, into: target)
  }

  /// Likewise for the backward pass.
  func packBackward(
    head: Int, kernel: AttentionKernel, layout: PackedLayout,
    into target: UnsafeMutablePointer<Float>
  ) {
    let (keyRows, valueRows) = rows(head)
    kernel.packBackwardTile(
      keys: keyRows, values: valueRows, type: plan.job.element, keyCount: keys.count,
      layout: layout, into: target)
  }

  /// Rows of K and of V of one head.
  private func rows(_ head: Int) -> (keys: UnsafeRawPointer, values: UnsafeRawPointer) {
    let (index, place) = plan.part(ofHead: head, in: .keyValue(tile))
    guard parts.indices.contains(index), let base = parts[index].bytes.baseAddress else {
      preconditionFailure("head \(head) of tile \(tile) isn't here")
    }
    let headBytes = keys.count * plan.job.headDimension * plan.job.element.byteCount
    return (
      base + place * headBytes, base + parts[index].bytes.count / 2 + place * headBytes
    )
  }
}
