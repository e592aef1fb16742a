package import MeshCore

/// The state of a virtual rank's rows, message by message: what copies and checkpoints hold. Bits go in and
/// out as they are.
///
/// A payload is float32 and little-endian: of attention the running (O, m, l), O [heads][rows][d], not
/// normalised, then m [heads][rows], the running maximum in the base-2 domain, then l [heads][rows]; of
/// gradients dQ [heads][rows][d], yet to be multiplied by the scale.
package struct RankState: Sendable {
  package let vrank: VRank
  let rank: any RankRows

  package var messageCount: Int { rank.plan.messageCount(of: vrank) }

  /// Payload bytes of one message.
  package func byteCount(_ message: Int) -> Int {
    let (tile, part) = rank.plan.stateMessage(of: vrank, message)
    return rank.plan.stateBytes(queryTile: tile, part: part)
  }

  /// Copies the state of the rows of one message out; rows must have been folded or loaded.
  package func read(_ message: Int, into target: UnsafeMutableRawBufferPointer) {
    precondition(target.count == byteCount(message), "\(target.count) bytes for a message")
    rank.readState(message, into: target)
  }

  /// Sets the state of the rows of one message.
  package func write(_ message: Int, from source: UnsafeRawBufferPointer) {
    precondition(source.count == byteCount(message), "\(source.count) bytes for a message")
    rank.writeState(message, from: source)
  }

  /// What a message of a copy says about itself; its checksum is yet to be computed.
  package func header(
    _ message: Int, job: JobID, planTag: UInt64, epoch: Epoch, next: Int
  ) -> SoftmaxState {
    let (tile, part) = rank.plan.stateMessage(of: vrank, message)
    return SoftmaxState(
      job: job, planTag: planTag, vrank: vrank, epoch: epoch, next: next, tile: .query(tile),
      part: part, heads: rank.plan.resultHeads(queryTile: tile, part: part),
      rows: rank.plan.queryRows(of: tile), headDimension: rank.plan.job.headDimension,
      kind: rank.plan.stateKind, checksum: 0)
  }
}
