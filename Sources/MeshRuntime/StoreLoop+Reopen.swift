package import MeshCore

/// What a coordinator that restarts finds in its store.
extension StoreLoop {
  /// Takes the files of a sealed job that an earlier coordinator left, to serve its tiles and take its
  /// results again, or just to be read. Nothing is told when all is as it was left; `failed` when
  /// something is missing or damaged.
  ///
  /// - Parameter needsInputs: false for a job that is over, of which only the result is kept.
  package func reopen(_ job: JobID, _ spec: AttentionJob, needsInputs: Bool) {
    guard jobs[job] == nil else { return }
    do throws(CallFailure) {
      if let found = reopened.take(job) {
        jobs[job] = try found.get()
      } else {
        jobs[job] = try directory.reopenStored(job, spec, needsInputs: needsInputs)
      }
    } catch {
      report(.failed(job, error))
    }
  }
}
