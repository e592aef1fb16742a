/// What a coordinator knows at one moment, for whoever watches it: values only, bounded, and no part
/// of any decision.
package struct CoordinatorSnapshot: Sendable {
  /// The clock of `RecordedEvent.seconds`.
  package var seconds: Double
  package var term: UInt64
  /// Whether workers of an earlier coordinator's jobs are still expected to come back.
  package var isGathering: Bool
  /// Whether the last commit of the coordinator's state failed.
  package var isStoreFailing: Bool
  /// Numbers of the last commit that was asked for, and of the last that is on disk.
  package var commitsIssued: UInt64
  package var commitsDone: UInt64
  /// Bytes that jobs have reserved in the store, and may.
  package var storeUsedBytes: Int
  package var storeQuotaBytes: Int
  /// In order of `JobState.allCases`.
  package var jobCounts: [Int]
  package var workers: [MemberSnapshot]
  /// The last ones, the newest first; at most `Limits.jobsPublishedMaximum`.
  package var jobs: [JobSummary]
  /// The job that has the workers, or the last one that had.
  package var focus: JobStatus?
  /// When that job began.
  package var focusStartedSeconds: Double
  /// The last runs, oldest first; at most `Limits.runsPublishedMaximum`.
  package var runs: [RunSnapshot]
  /// The last ones that tell more than that all goes well, oldest first; at most
  /// `Limits.eventsPublishedMaximum`.
  package var events: [RecordedEvent]

  /// A worker that is there.
  package struct MemberSnapshot: Sendable {
    package var status: WorkerStatus
    /// For the job it works for.
    package var traffic: Traffic
    package var machine: String
    /// Whether it was told of as a straggler in this job.
    package var isStraggler: Bool
    /// What it takes for a tile of a rank's query tile, once that is known.
    package var secondsPerTile: Double?
    package var isBusy: Bool
    /// Since when its compute threads have got nothing done although they have work; 0 if they have.
    package var stuckSeconds: Double
  }

  /// The counters of one job.
  package struct RunSnapshot: Sendable {
    package var job: JobID
    /// `next` of each virtual rank.
    package var next: [Int]
    package var traffic: [(worker: WorkerID, name: String, traffic: Traffic)]
    package var recoveries: [Recovery]
  }
}

extension Coordinator {
  /// Everything that is shown of it. Pure, and cheap enough for ten times a second.
  package func snapshot(at now: Duration) -> CoordinatorSnapshot {
    let ran = jobs.filter { $0.run != nil && $0.startedAt != nil }
      .sorted { ($0.startedAt ?? .zero) < ($1.startedAt ?? .zero) }
    let focus = activeIndex.map { jobs[$0] } ?? ran.last
    return CoordinatorSnapshot(
      seconds: now.seconds, term: configuration.term, isGathering: isGathering(at: now),
      isStoreFailing: commits.isFailing, commitsIssued: commits.issued,
      commitsDone: commits.committed,
      storeUsedBytes: jobs.reduce(0) { $0 + $1.diskBytes },
      storeQuotaBytes: configuration.diskQuotaBytes,
      jobCounts: JobState.allCases.map { state in jobs.count { $0.state == state } },
      workers: members.map { snapshot(of: $0, at: now) },
      jobs: jobs.suffix(Limits.jobsPublishedMaximum).reversed().map { summary(of: $0, at: now) },
      focus: focus.map { status(of: $0, at: now) },
      focusStartedSeconds: focus?.startedAt?.seconds ?? 0,
      runs: ran.suffix(Limits.runsPublishedMaximum).compactMap { snapshot(of: $0) },
      events: events.last(Limits.eventsPublishedMaximum))
  }

  private func isGathering(at now: Duration) -> Bool {
    if now < gathering.returnsUntil { return true }
    guard let index = activeIndex, let run = jobs[index].run else { return false }
    return !run.awaited.isEmpty
  }

  private func snapshot(of member: Member, at now: Duration) -> CoordinatorSnapshot.MemberSnapshot {
    let run = activeIndex.flatMap { jobs[$0].run }
    let place = run?.participant(member.id)
    return CoordinatorSnapshot.MemberSnapshot(
      status: status(of: member, at: now),
      traffic: place.flatMap { run?.participants[$0].traffic } ?? Traffic(),
      machine: member.hello.machine, isStraggler: member.pace.isReported && run != nil,
      secondsPerTile: member.pace.secondsPerTile, isBusy: member.computation.isBusy,
      stuckSeconds: member.stuckSince.map { (now - $0).seconds } ?? 0)
  }

  private func snapshot(of record: JobRecord) -> CoordinatorSnapshot.RunSnapshot? {
    record.run.map { run in
      CoordinatorSnapshot.RunSnapshot(
        job: record.id, next: run.ranks.map(\.next),
        traffic: run.participants.map { ($0.identity.worker, $0.identity.name, $0.traffic) },
        recoveries: run.recoveries)
    }
  }
}
