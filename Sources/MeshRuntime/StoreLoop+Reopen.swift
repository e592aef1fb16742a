package import MeshCore

/// What a coordinator that restarts finds in its store.
extension StoreLoop {
  /// Opens the files of a sealed job that an earlier coordinator left, to serve its tiles and take
  /// its results again, or just to be read. Nothing is told when all is as it was left; `failed`
  /// when something is missing or damaged.
  ///
  /// - Parameter needsInputs: false for a job that is over, of which only the result is kept.
  package func reopen(_ job: JobID, _ spec: AttentionJob, needsInputs: Bool) {
    guard jobs[job] == nil else { return }
    do throws(CallFailure) {
      let (files, checksums) = try directory.reopen(job, spec, needsInputs: needsInputs)
      let stored = StoredJob(files: files)
      stored.checksums = checksums
      stored.areInputsDropped = !needsInputs
      jobs[job] = stored
    } catch {
      report(.failed(job, error))
    }
  }
}
