internal import AttentionKernels
internal import KernelBody
package import MeshCore

/// The running (O, m, l) of a virtual rank's rows, message by message: what copies and checkpoints
/// hold. Bits go in and out as they are.
///
/// A payload is float32 and little-endian: O [heads][rows][d], not normalised, then m [heads][rows],
/// the running maximum in the base-2 domain, then l [heads][rows].
package struct RankState: Sendable {
  package let vrank: VRank
  let rank: RankBuffers

  package var messageCount: Int { rank.plan.messageCount(of: vrank) }

  /// Payload bytes of one message.
  package func byteCount(_ message: Int) -> Int {
    let (tile, part) = rank.plan.resultMessage(of: vrank, message)
    return rank.plan.stateBytes(queryTile: tile, part: part)
  }

  /// Copies the state of the rows of one message out; rows must have been folded or loaded.
  package func read(_ message: Int, into target: UnsafeMutableRawBufferPointer) {
    precondition(target.count == byteCount(message), "\(target.count) bytes for a message")
    visit(message) { state, dimension, rows, offsets in
      for row in 0..<rows {
        let from = state.accumulator + row * rank.layout.paddedDimension
        copy(UnsafeRawPointer(from), to: target, at: offsets.output + row * dimension, dimension)
      }
      copy(UnsafeRawPointer(state.maximum), to: target, at: offsets.maximum, rows)
      copy(UnsafeRawPointer(state.sum), to: target, at: offsets.sum, rows)
    }
  }

  /// Sets the state of the rows of one message.
  package func write(_ message: Int, from source: UnsafeRawBufferPointer) {
    precondition(source.count == byteCount(message), "\(source.count) bytes for a message")
    visit(message) { state, dimension, rows, offsets in
      for row in 0..<rows {
        let target = state.accumulator + row * rank.layout.paddedDimension
        copy(source, at: offsets.output + row * dimension, to: target, dimension)
        for column in dimension..<rank.layout.paddedDimension { target[column] = 0 }
      }
      copy(source, at: offsets.maximum, to: state.maximum, rows)
      copy(source, at: offsets.sum, to: state.sum, rows)
    }
  }

  /// What a message of a copy says about itself; its checksum is yet to be computed.
  package func header(
    _ message: Int, job: JobID, planTag: UInt64, epoch: Epoch, next: Int
  ) -> SoftmaxState {
    let (tile, part) = rank.plan.resultMessage(of: vrank, message)
    return SoftmaxState(
      job: job, planTag: planTag, vrank: vrank, epoch: epoch, next: next, queryTile: tile,
      part: part, heads: rank.plan.resultHeads(queryTile: tile, part: part),
      rows: rank.plan.queryRows(of: tile),
      headDimension: rank.plan.job.headDimension, isNormalised: false, checksum: 0)
  }

  /// Offsets in floats of one head's rows in a payload.
  private struct Offsets {
    let output: Int
    let maximum: Int
    let sum: Int
  }

  private func visit(
    _ message: Int, _ body: (StatePointers, _ dimension: Int, _ rows: Int, Offsets) -> Void
  ) {
    let plan = rank.plan
    let (tile, part) = plan.resultMessage(of: vrank, message)
    guard let place = rank.place(of: tile) else { preconditionFailure("not of this rank") }
    let heads = plan.resultHeads(queryTile: tile, part: part)
    let rows = plan.queryRows(of: tile).count
    let dimension = plan.job.headDimension
    for (index, head) in heads.enumerated() {
      let maxima = heads.count * rows * dimension
      body(
        rank.state(rank.item(head: head, place: place)), dimension, rows,
        Offsets(
          output: index * rows * dimension, maximum: maxima + index * rows,
          sum: maxima + (heads.count + index) * rows))
    }
  }

  private func copy(
    _ source: UnsafeRawPointer, to target: UnsafeMutableRawBufferPointer, at offset: Int,
    _ count: Int
  ) {
    target.baseAddress?.advanced(by: offset * 4).copyMemory(from: source, byteCount: count * 4)
  }

  private func copy(
    _ source: UnsafeRawBufferPointer, at offset: Int, to target: UnsafeMutablePointer<Float>,
    _ count: Int
  ) {
    guard let from = source.baseAddress else { return }
    UnsafeMutableRawPointer(target).copyMemory(from: from + offset * 4, byteCount: count * 4)
  }
}
