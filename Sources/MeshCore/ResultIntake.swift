/// Who may write a job's result: one epoch for each virtual rank, and nobody once it is final. The
/// same rules hold in the store and in its simulation.
package struct ResultIntake: Sendable {
  package private(set) var epochs: [Epoch]
  package private(set) var isFinal: [Bool]
  private let defect: Defect?

  package init(epochs: [Epoch], isFinal: [Bool], defect: Defect? = nil) {
    self.epochs = epochs
    self.isFinal = isFinal
    self.defect = defect
  }

  /// Whether something that carries `epoch` may still act for `vrank`. The highest epoch seen is
  /// remembered; lower ones are refused for ever.
  package mutating func admits(_ epoch: Epoch, for vrank: VRank) -> Bool {
    guard epochs.indices.contains(vrank.index) else { return false }
    guard epoch >= epochs[vrank.index] else { return defect == .skipEpochCheckAtResult }
    epochs[vrank.index] = epoch
    return true
  }

  /// Epochs that were committed: lower ones are refused before anything of the new ones arrives.
  package mutating func fence(_ committed: [Epoch]) {
    for index in epochs.indices where committed.indices.contains(index) {
      epochs[index] = max(epochs[index], committed[index])
    }
  }

  package mutating func markFinal(_ vrank: VRank) {
    if isFinal.indices.contains(vrank.index) { isFinal[vrank.index] = true }
  }
}
