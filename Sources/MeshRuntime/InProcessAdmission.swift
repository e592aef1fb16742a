package import AttentionMasks
package import MeshCore

/// What a job takes in this process, against what there is: decided before anything is computed or
/// written.
package struct InProcessAdmission: Sendable {
  package let portions: Portions
  package let room: MemoryRoom
  /// The bound on what this process has in all.
  package let bytes: Int

  /// The program, its libraries, and what it holds of files and results in passing.
  private static let processBytes = 64 << 20
  /// Scratch memory of a fold, and what is touched of a stack.
  private static let threadBytes = 1 << 20

  /// - Parameters:
  ///   - resultBytes: of memory that the result's files take.
  ///   - besideBytes: that the process holds meanwhile for more than the job's portions.
  ///   - room: what this process may have beside them; by default what the system says.
  ///   - blocks: the job's block map.
  package init(
    _ job: AttentionJob, blocks: BlockMap? = nil, threads: Int, resultBytes: Int,
    besideBytes: Int = 0, room: MemoryRoom? = nil
  ) {
    let room = room ?? .ofProcess(threads: threads, fileBytes: resultBytes)
    let fixed =
      Self.processBytes + threads * Self.threadBytes + MemoryEstimate.mapBytes(job) + besideBytes
    let portions = Portions(
      of: job, blocks: blocks, bytes: min(Portions.bytesWanted, max(0, room.bytes - fixed)))
    self.portions = portions
    self.room = room
    bytes = fixed + portions.bytes
  }

  /// Why the job isn't begun; nil when there is room.
  package var problem: String? {
    guard bytes > room.bytes else { return nil }
    return "the job needs \(MeshCore.bytes(bytes)) of memory in one process, where it may have"
      + " \(room.text): give it more, or use a mesh"
  }

  /// - Throws: bad input, with the numbers.
  package func check() throws(MeshError) {
    if let problem { throw MeshError(.badInput, problem) }
  }
}
