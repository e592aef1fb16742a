/// How the mesh is, at a glance.
package struct MeshStatus: Hashable, Sendable {
  /// Of the coordinator's program, and of the protocol it speaks.
  package var version: String
  package var protocolVersion: Int
  package var term: UInt64
  package var uptimeSeconds: Double
  /// Bytes that jobs hold in the store, and that they may.
  package var storeBytes: Int
  package var storeQuotaBytes: Int
  /// Whether jobs outlive the coordinator.
  package var isPersistent: Bool
  /// The most by which the coordinator's loop was late, of the last 10 to 20 seconds.
  package var loopLagSeconds: Double
  /// One for each standing and each state that occurs.
  package var workers: [WorkerCount]
  package var jobs: [JobCount]
  /// The job that has the workers.
  package var running: RunningJob?
  /// The last events that tell of trouble, the newest last.
  package var alarms: [RecordedEvent]

  package init(
    version: String, protocolVersion: Int, term: UInt64, uptimeSeconds: Double, storeBytes: Int,
    storeQuotaBytes: Int, isPersistent: Bool, loopLagSeconds: Double, workers: [WorkerCount],
    jobs: [JobCount], running: RunningJob?, alarms: [RecordedEvent]
  ) {
    self.version = version
    self.protocolVersion = protocolVersion
    self.term = term
    self.uptimeSeconds = uptimeSeconds
    self.storeBytes = storeBytes
    self.storeQuotaBytes = storeQuotaBytes
    self.isPersistent = isPersistent
    self.loopLagSeconds = loopLagSeconds
    self.workers = workers
    self.jobs = jobs
    self.running = running
    self.alarms = alarms
  }

  /// How many workers have a standing.
  package struct WorkerCount: Hashable, Sendable {
    package var standing: WorkerStanding
    package var count: Int

    package init(standing: WorkerStanding, count: Int) {
      self.standing = standing
      self.count = count
    }
  }

  /// How many jobs are in a state.
  package struct JobCount: Hashable, Sendable {
    package var state: JobState
    package var count: Int

    package init(state: JobState, count: Int) {
      self.state = state
      self.count = count
    }
  }

  /// The job that has the workers, and what a loss of one would cost.
  package struct RunningJob: Hashable, Sendable {
    package var summary: JobSummary
    package var protection: Protection

    package init(summary: JobSummary, protection: Protection) {
      self.summary = summary
      self.protection = protection
    }
  }
}
