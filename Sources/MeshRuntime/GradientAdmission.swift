package import AttentionMasks
internal import FoldEngine
package import MeshCore

/// What a backward pass takes in this process, against what there is: decided before anything is
/// computed or written.
package struct GradientAdmission: Sendable {
  /// K/V heads whose gradients are computed at once.
  package let keyHeads: Int
  /// Of the forward pass, with all that the process holds beside it.
  let forward: InProcessAdmission
  /// The bound on what this process has in all.
  package let bytes: Int

  /// Enough of them that threads have work; more would save nothing.
  private static let bytesWanted = 1 << 30

  /// Rows of O and dO beside those of a head's, as they are read.
  private static let rowBytes = 16 << 20

  /// - Parameters:
  ///   - hasForward: whether O and LSE of a forward pass are given.
  ///   - resultBytes: of memory that the gradients' files take.
  ///   - room: what this process may have beside them; by default what the system says.
  package init(
    _ job: AttentionJob, blocks: BlockMap? = nil, hasForward: Bool, threads: Int, resultBytes: Int,
    room: MemoryRoom? = nil
  ) {
    forward = InProcessAdmission(
      job, blocks: blocks, threads: threads, resultBytes: resultBytes,
      besideBytes: RowStatistics.byteCount(job) + GradientDigests.byteCount(job) + Self.rowBytes,
      room: room)
    // Of either pass: they follow each other.
    let fixed = forward.bytes - forward.portions.bytes
    let first = hasForward ? 0 : forward.portions.bytes
    let perHead = GradientRun.byteCount(job, keyHeads: 1)
    let most = min(Self.bytesWanted, max(0, forward.room.bytes - fixed)) / perHead
    keyHeads = max(1, min(job.flatKeyValueHeads, most))
    bytes = fixed + max(first, keyHeads * perHead)
  }

  /// Why the pass isn't begun; nil when there is room.
  package var problem: String? {
    guard bytes > forward.room.bytes else { return nil }
    return "the gradients need \(MeshCore.bytes(bytes)) of memory in one process, even of one K/V"
      + " head at a time, where it may have \(forward.room.text)"
  }

  /// - Throws: bad input, with the numbers.
  package func check() throws(MeshError) {
    if let problem { throw MeshError(.badInput, problem) }
  }
}
