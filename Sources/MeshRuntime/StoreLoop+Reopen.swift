package import MeshCore

/// What a coordinator that restarts finds in its store.
extension StoreLoop {
  /// Takes the files of a sealed job that an earlier coordinator left, to serve its tiles and take its
  /// results again, or just to be read. Nothing is told when all is as it was left; `failed` when
  /// something is missing or damaged.
  ///
  /// - Parameter needsInputs: false for a job that is over, of which only the result is kept.
  package func reopen(
    _ job: JobID, _ spec: AttentionJob, client: String, needsInputs: Bool
  ) {
    defer { jobs[job]?.client = client }
    guard jobs[job] == nil else { return }
    do throws(CallFailure) {
      if let found = reopened.take(job) {
        jobs[job] = try found.get()
      } else {
        jobs[job] = try directory.reopenStored(job, spec, needsInputs: needsInputs)
      }
    } catch {
      guard !needsInputs, error.code == .dataLoss else { return report(.failed(job, error)) }
      missing[job] = (spec, client)
      report(.failed(job, resultMissing(job)))
    }
  }

  /// Looks once more for the files of a job whose result is asked for: they may have been put back since.
  func lookAgain(for job: JobID, _ header: CallHeader) throws(CallFailure) {
    guard jobs[job] == nil, let (spec, client) = missing[job],
      header.role != .client || client == header.client
    else { return }
    do throws(CallFailure) {
      jobs[job] = try directory.reopenStored(job, spec, needsInputs: false)
    } catch {
      guard error.code == .dataLoss else { throw error }
      throw CallFailure(.notFound, resultMissing(job).message)
    }
    jobs[job]?.client = client
    missing[job] = nil
    report(.found(job))
  }

  private func resultMissing(_ job: JobID) -> CallFailure {
    CallFailure(
      .dataLoss,
      "the result of job \(job) isn't whole in the coordinator's store: put \(directory.path)/\(job)"
        + " back from where it was saved, and fetch it again")
  }
}
