internal import AttentionKernels
internal import AttentionMasks
internal import MeshCore

/// Steps of a rank of a job of gradients: what a K/V tile and the rank's rows give to dQ, and to dK and dV,
/// which come from the rank before and go on to the next one (RingAttention's backward pass: Liu, Zaharia,
/// Abbeel 2023, appendix A; the order of sums is ours). An item is a K/V head with the query heads that see it.
///
/// In every form of the pass dQ takes K/V tiles in ascending order; dK and dV take query tiles in descending
/// order and, of one, the query heads of the group in ascending order. So the bits don't depend on where
/// the ranks are cut.
package struct BackwardWork: StepWork {
  /// A step.
  struct Step: Sendable {
    let keys: PartedKeyTile
    /// What the rank before published, by parts; nil for the first rank.
    let previous: (tile: TileID, parts: [PartPayload])?
    let publishes: TileID
    /// Parts of the tile that is published, one after the other.
    let output: AlignedBuffer
  }

  let kernel: AttentionKernel
  let rank: BackwardRank
  let numbers: Range<Int>
  let steps: [Step]
  /// Whether dQ is left as it is: a step is done once more for what it published.
  let isReplay: Bool

  private var plan: Plan { rank.plan }
  private var keyHeads: Range<Int> {
    let group = plan.job.queriesPerKeyHead
    return rank.heads.lowerBound / group..<rank.heads.upperBound / group
  }

  package var itemCount: Int { keyHeads.count }

  package func perform(_ item: Int, scratch: FoldScratch) {
    let keyHead = keyHeads.lowerBound + item
    let group = plan.job.queriesPerKeyHead
    let heads = keyHead * group..<(keyHead + 1) * group
    for (number, step) in zip(numbers, steps) {
      if number == 0, !isReplay {
        for head in heads {
          for place in rank.queryTiles.indices { rank.reset(rank.item(head: head, place: place)) }
        }
      }
      let tile = begin(step, keyHead, scratch)
      let places = rank.places(near: number..<number + 1)
      for run in places.ranges.reversed() {
        for place in run.reversed() {
          for head in heads { add(head, place, to: tile, scratch) }
        }
      }
      publish(step, keyHead, tile)
    }
  }

  private func add(_ head: Int, _ place: Int, to tile: GradientTile, _ scratch: FoldScratch) {
    let item = rank.item(head: head, place: place)
    kernel.differentiate(
      rank.operands(item), rows: plan.queryRows(of: rank.queryTiles[place]), head: head, tile,
      into: isReplay ? scratch.gradientRows : rank.queryGradients(item), job: plan.job,
      mask: plan.mask, layout: rank.layout, scratch: scratch.head(0))
  }

  /// Packs a K/V tile of one head, and takes its dK and dV as they came.
  private func begin(_ step: Step, _ keyHead: Int, _ scratch: FoldScratch) -> GradientTile {
    let count = step.keys.keys.count
    let floats = rank.layout.gradientFloats(rowCount: count)
    let tile = GradientTile(
      keys: step.keys.keys, packed: scratch.gradientTile, keyGradients: scratch.gradientSums,
      valueGradients: scratch.gradientSums + floats)
    step.keys.packBackward(
      head: keyHead, kernel: kernel, layout: rank.layout, into: tile.packed)
    guard let previous = step.previous else {
      tile.keyGradients.update(repeating: 0, count: 2 * floats)
      return tile
    }
    let (part, index) = plan.part(ofHead: keyHead, in: previous.tile)
    let bytes = previous.parts[part].bytes
    let headBytes = count * plan.job.headDimension * 4
    guard let base = bytes.baseAddress else { preconditionFailure("an empty part") }
    for (target, start) in [(tile.keyGradients, 0), (tile.valueGradients, bytes.count / 2)] {
      kernel.packAllRows(
        base + start + index * headBytes, type: .float32, rowCount: count, layout: rank.layout,
        into: target)
    }
    return tile
  }

  /// Writes dK and dV of one head: to be gone on with or, as the rank is the last one, finished.
  private func publish(_ step: Step, _ keyHead: Int, _ tile: GradientTile) {
    let (part, index) = plan.part(ofHead: keyHead, in: step.publishes)
    let floats = tile.keys.count * plan.job.headDimension
    let start = step.output.floats + offset(of: part, in: step.publishes)
    let half = plan.payloadBytes(of: step.publishes, part: part) / 8
    let isLast = step.publishes.tensor == .gradient
    kernel.finishGradients(
      tile.keyGradients, scale: isLast ? Double(plan.job.scale) : 1, rowCount: tile.keys.count,
      layout: rank.layout, into: start + index * floats)
    kernel.finishGradients(
      tile.valueGradients, scale: 1, rowCount: tile.keys.count, layout: rank.layout,
      into: start + half + index * floats)
  }

  /// In floats.
  private func offset(of part: Int, in tile: TileID) -> Int {
    (0..<part).reduce(0) { $0 + plan.payloadBytes(of: tile, part: $1) / 4 }
  }

  package var publications: [Publication] {
    steps.map { step in
      var start = 0
      let parts = (0..<plan.partCount(step.publishes.tensor)).map { part in
        let count = plan.payloadBytes(of: step.publishes, part: part)
        defer { start += count }
        return PartPayload(
          UnsafeRawBufferPointer(rebasing: step.output.bytes[start..<start + count]),
          owner: step.output)
      }
      return Publication(tile: step.publishes, parts: parts)
    }
  }

  package var visiblePairs: Int {
    numbers.reduce(0) { total, number in
      let keys = plan.keys(of: rank.steps.tile(number))
      return total
        + rank.queryTiles.reduce(0) {
          $0 + plan.mask.pairCount(rows: plan.queryRows(of: $1), keys: keys)
        } * rank.heads.count
    }
  }
}
