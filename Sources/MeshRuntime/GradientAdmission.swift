internal import FoldEngine
internal import MeshCore

/// What a backward pass takes in this process, against what there is: decided before anything is
/// computed or written.
package struct GradientAdmission: Sendable {
  /// K/V heads whose gradients are computed at once.
  package let keyHeads: Int
  /// Of the forward pass, and of what a process takes without any job.
  let forward: InProcessAdmission
  /// The bound on what this process has in all.
  package let bytes: Int

  /// Enough of them that threads have work; more would save nothing.
  private static let bytesWanted = 1 << 30

  /// - Parameter resultBytes: of memory that the gradients' files take.
  package init(_ inputs: GradientInputs, threads: Int, resultBytes: Int) {
    let job = inputs.job.spec
    forward = InProcessAdmission(
      job, blocks: inputs.job.blocks, threads: threads, resultBytes: resultBytes)
    let fixed = forward.bytes - forward.portions.bytes + RowStatistics.byteCount(job)
    let room = min(Self.bytesWanted, max(0, forward.room.bytes - fixed))
    let perHead = GradientRun.byteCount(job, keyHeads: 1)
    keyHeads = max(1, min(job.flatKeyValueHeads, room / perHead))
    let first = inputs.hasForward ? 0 : forward.portions.bytes
    // Rows of O and dO beside those of a head's.
    bytes = fixed + max(first, keyHeads * perHead) + 16 << 20
  }

  /// - Throws: bad input, with the numbers.
  package func check() throws(MeshError) {
    guard bytes > forward.room.bytes else { return }
    throw MeshError(
      .badInput,
      "the backward pass needs \(MeshCore.bytes(bytes)) of memory for one K/V head at a time, where"
        + " it may have \(forward.room.text)")
  }
}
