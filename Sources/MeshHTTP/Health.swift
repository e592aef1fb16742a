internal import MeshCore
internal import MeshRuntime

/// Health is progress: that a port answers says nothing about the loop.
extension CoordinatorReport {
  /// Why the coordinator isn't healthy, on one line; nil if it is.
  ///
  /// - Parameter age: seconds since the report was written.
  func problem(age: Double) -> String? {
    if let late = lateness(age) { return late }
    if snapshot.isStoreFailing {
      return "the coordinator's state can't be written to its store; look for store-alarm in"
        + " attnmesh events"
    }
    if commitWaitSeconds >= Limits.commitTimeout.seconds {
      return "a commit has waited for the store's disk for \(Int(commitWaitSeconds)) s"
    }
    return nil
  }

  /// Why clients should not be sent here yet; nil when they may.
  func notReady(age: Double) -> String? {
    if let problem = problem(age: age) { return problem }
    return snapshot.isGathering
      ? "started again: workers of earlier jobs are still expected to come back" : nil
  }

  var queueLength: Int { count(.queued) }

  func count(_ state: JobState) -> Int {
    JobState.allCases.firstIndex(of: state).map { snapshot.jobCounts[$0] } ?? 0
  }

  /// The job that has the workers.
  var runningJob: JobStatus? {
    snapshot.focus.flatMap { [.running, .finishing].contains($0.summary.state) ? $0 : nil }
  }
}

extension WorkerReport {
  func problem(age: Double) -> String? {
    if let late = lateness(age) { return late }
    guard stuckSeconds >= hangSeconds else { return nil }
    return "the compute threads have work and got nothing done for \(Int(stuckSeconds)) s"
  }

  func notReady(age: Double) -> String? {
    if let problem = problem(age: age) { return problem }
    return isWelcome ? nil : "\(coordinator) has not welcomed this worker, or no longer answers"
  }
}

private func lateness(_ age: Double) -> String? {
  guard age >= Limits.publishTimeout.seconds else { return nil }
  return "the loop has not got on for \(Int(age)) s"
}

/// What is said before a loop has published anything.
let notStarted = "the loop has not begun"
