/// Who may write a job's result: the host of each virtual rank, as it was committed, and nobody once
/// the rank is final. The same rules hold in the store and in its simulation.
package struct ResultIntake: Sendable {
  package private(set) var tenures: [Assignment.Tenure]
  package private(set) var isFinal: [Bool]
  private let defect: Defect?

  package init(tenures: [Assignment.Tenure], isFinal: [Bool], defect: Defect? = nil) {
    self.tenures = tenures
    self.isFinal = isFinal
    self.defect = defect
  }

  /// Whether whoever proved to have `key` may act for `vrank` under `epoch`. Lower epochs are fenced,
  /// higher ones nobody was ever given: hosts learn of theirs after the store.
  ///
  /// - Parameter key: nil in a mesh without keys.
  package func admits(_ epoch: Epoch, for vrank: VRank, key: PublicKey? = nil) -> Bool {
    guard tenures.indices.contains(vrank.index) else { return false }
    let tenure = tenures[vrank.index]
    if epoch < tenure.epoch, defect == .skipEpochCheckAtResult { return true }
    return epoch == tenure.epoch && key == tenure.publicKey
  }

  /// Tenures that were committed: those before are over.
  package mutating func fence(_ committed: [Assignment.Tenure]) {
    for index in tenures.indices where committed.indices.contains(index) {
      if committed[index].epoch >= tenures[index].epoch { tenures[index] = committed[index] }
    }
  }

  package mutating func markFinal(_ vrank: VRank) {
    if isFinal.indices.contains(vrank.index) { isFinal[vrank.index] = true }
  }
}
