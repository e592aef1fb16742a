/// Asks the host of a rank to say when a copy of it has passed some steps, and to make one as soon as
/// it has done them: somebody keeps what they read until then.
package struct PassQuestion: Hashable, Sendable {
  package var job: JobID
  package var planTag: UInt64
  package var vrank: VRank
  package var steps: Int

  package init(job: JobID, planTag: UInt64, vrank: VRank, steps: Int) {
    self.job = job
    self.planTag = planTag
    self.vrank = vrank
    self.steps = steps
  }
}

/// Answers a `PassQuestion`, once it is so. Without an answer the question is asked again.
package struct PassAnswer: Hashable, Sendable {
  package var job: JobID
  package var vrank: VRank
  /// Under which the rank is hosted: what a former host says doesn't count.
  package var epoch: Epoch
  /// Of the last copy that would outlive the host's worker.
  package var steps: Int

  package init(job: JobID, vrank: VRank, epoch: Epoch, steps: Int) {
    self.job = job
    self.vrank = vrank
    self.epoch = epoch
    self.steps = steps
  }
}
