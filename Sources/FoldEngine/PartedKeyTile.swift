internal import AttentionKernels
internal import MeshCore

/// A K/V tile of all heads as its parts came, for tiles that would take too much room packed: whoever
/// folds a head packs it.
struct PartedKeyTile: Sendable {
  let tile: Int
  let keys: Range<Int>
  private let plan: Plan
  private var parts: [Part] = []

  /// The unchecked conformance is right as the bytes don't change while their owner lives.
  private struct Part: @unchecked Sendable {
    let bytes: UnsafeRawBufferPointer
    let owner: any AnyObject & Sendable
  }

  init(plan: Plan, tile: Int) {
    self.plan = plan
    self.tile = tile
    keys = plan.keys(of: tile)
  }

  /// Keeps the next part: what `owner` owns, or a copy where there is none.
  mutating func add(_ payload: UnsafeRawBufferPointer, owner: (any AnyObject & Sendable)?) {
    if let owner { return parts.append(Part(bytes: payload, owner: owner)) }
    let copy = AlignedBuffer(count: (payload.count + 3) / 4)
    let target = UnsafeMutableRawPointer(copy.floats)
    if let base = payload.baseAddress { target.copyMemory(from: base, byteCount: payload.count) }
    parts.append(
      Part(bytes: UnsafeRawBufferPointer(start: target, count: payload.count), owner: copy))
  }

  /// Brings one head into the layout that the kernel reads.
  func pack(
    head: Int, kernel: AttentionKernel, layout: PackedLayout,
    into target: UnsafeMutablePointer<Float>
  ) {
    let (index, place) = head.quotientAndRemainder(dividingBy: plan.headsPerPart(.keyValue))
    guard parts.indices.contains(index), let base = parts[index].bytes.baseAddress else {
      preconditionFailure("head \(head) of tile \(tile) isn't here")
    }
    let headBytes = keys.count * plan.job.headDimension * plan.job.element.byteCount
    kernel.packTile(
      keys: base + place * headBytes,
      values: base + parts[index].bytes.count / 2 + place * headBytes, type: plan.job.element,
      keyCount: keys.count, layout: layout, into: target)
  }
}
