package import Checksums
package import MeshCore

/// What a checkpoint is of. All of it must be the same for a state to be restored: anything else
/// would give other bits.
package struct CheckpointIdentity: Sendable, Hashable {
  /// Bytes of a numerics fingerprint at most: the field ends with a zero.
  static let numericsBytesMaximum = 63

  package let job: JobID
  package let planHash: Digest
  /// The arithmetic that made the state.
  package let numerics: String
  package let vrank: VRank
  /// Bytes of each message of the state, fixed by the plan.
  package let partBytes: [Int]

  package init(job: JobID, planHash: Digest, numerics: String, vrank: VRank, partBytes: [Int]) {
    precondition(UInt32(exactly: vrank.index) != nil, "\(vrank) is no virtual rank")
    precondition(
      numerics.utf8.count <= Self.numericsBytesMaximum && !numerics.utf8.contains(0),
      "'\(numerics)' is no numerics fingerprint")
    // Bounds far above what a plan has, under which no offset can overflow.
    precondition(
      (1...1 << 20).contains(partBytes.count)
        && partBytes.allSatisfy { (1...1 << 30).contains($0) },
      "\(partBytes.count) parts are no state of virtual rank \(vrank)")
    self.job = job
    self.planHash = planHash
    self.numerics = numerics
    self.vrank = vrank
    self.partBytes = partBytes
  }
}

/// The two places in a checkpoint file. The older one is overwritten, so that a whole state is there
/// at every moment.
package enum CheckpointSlot: Int, Sendable, CaseIterable, CustomStringConvertible {
  case a
  case b

  package var description: String { self == .a ? "A" : "B" }
}
