/// The mesh at a glance.
extension Coordinator {
  func meshStatus(at now: Duration) -> MeshStatus {
    let standings = members.map { standing(of: $0) }
    let states = jobs.map { onDisk($0).state }
    return MeshStatus(
      version: programVersion, protocolVersion: protocolVersion, term: configuration.term,
      uptimeSeconds: (now - startedAt).seconds, storeBytes: jobs.reduce(0) { $0 + $1.diskBytes },
      storeQuotaBytes: configuration.diskQuotaBytes, isPersistent: configuration.isPersistent,
      loopLagSeconds: loopLag.worst.seconds,
      workers: WorkerStanding.allCases.compactMap { standing in
        let count = standings.count { $0 == standing }
        return count == 0 ? nil : MeshStatus.WorkerCount(standing: standing, count: count)
      },
      jobs: JobState.allCases.compactMap { state in
        let count = states.count { $0 == state }
        return count == 0 ? nil : MeshStatus.JobCount(state: state, count: count)
      },
      running: activeIndex.map { index in
        MeshStatus.RunningJob(
          summary: summary(of: jobs[index], at: now, isAsked: true),
          protection: jobs[index].run?.protection ?? .off)
      },
      alarms: events.alarms())
  }
}

/// How late the coordinator's loop has been of late.
struct LoopLag: Sendable {
  private var current = Duration.zero
  private var before = Duration.zero
  private var since: Duration?

  /// The most of the last 10 to 20 seconds.
  var worst: Duration { max(current, before) }

  mutating func note(_ lag: Duration, at now: Duration) {
    let start = since ?? now
    since = start
    if now - start >= .seconds(10) { (before, current, since) = (current, .zero, now) }
    current = max(current, lag)
  }
}
