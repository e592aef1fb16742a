/// What is told about jobs.
extension Coordinator {
  /// - Parameter isAsked: by a call that doesn't wait for the disk: what isn't there yet is not told.
  func summary(
    of record: JobRecord, at now: Duration, isAsked: Bool = false
  ) -> JobSummary {
    let end = record.foldedAt ?? record.endedAt ?? now
    var (state, reason) = isAsked ? onDisk(record) : (record.state, record.reason)
    if state == .running, reason.isEmpty { reason = memoryNote(record) }
    return JobSummary(
      job: record.id, client: record.client, state: state, reason: reason,
      spec: record.spec, mask: record.maskText, flops: record.flops,
      folded: record.run?.folded ?? 0, total: record.run?.total ?? 0,
      ageSeconds: (now - record.submittedAt).seconds,
      wallSeconds: record.startedAt.map { (end - $0).seconds } ?? 0,
      name: record.name, submittedAt: record.submittedWall,
      deadlineAt: record.deadline.map { wallSeconds(at: $0) },
      result: state == .done ? result(of: record) : ResultStatus(.none))
  }

  /// What has become of a job's result.
  func result(of record: JobRecord) -> ResultStatus {
    guard record.state == .done else { return ResultStatus(.none) }
    if record.isDiscarded { return record.lastResult ?? ResultStatus(.discarded) }
    if record.isResultMissing { return ResultStatus(.missing) }
    return ResultStatus(
      .kept, at: record.endedAt.map { wallSeconds(at: $0 + configuration.retention) })
  }

  /// An end that is not on disk is not told: after a crash it would not have happened.
  func onDisk(_ record: JobRecord) -> (state: JobState, reason: String) {
    let state =
      record.state.isTerminal && !record.isEndOnDisk ? record.stateBefore : record.state
    guard commits.isFailing, !state.isTerminal else {
      return (state, state == record.state ? record.reason : "")
    }
    return (state, "waits until the coordinator's state can be written")
  }

  func status(
    of record: JobRecord, at now: Duration, isAsked: Bool = false
  ) -> JobStatus {
    let run = record.run
    let ranks = run.map { run in
      run.plan.vranks.map { vrank in
        let rank = run.ranks[vrank.index]
        return RankStatus(
          vrank: vrank, epoch: run.table.hosts[vrank.index].epoch,
          worker: run.host(of: vrank).flatMap { run.participant($0) }
            .map { run.participants[$0].identity.name } ?? "",
          next: rank.next, needed: rank.needed, copied: rank.copied, durable: rank.durable,
          isFinal: rank.isFinal)
      }
    }
    let workers = run?.participants.map { participant in
      JobWorkerStatus(
        name: participant.identity.name, level: participant.identity.level,
        threads: participant.identity.threads, traffic: participant.traffic,
        residentBytes: participant.residentBytes)
    }
    return JobStatus(
      summary: summary(of: record, at: now, isAsked: isAsked),
      queuePosition: queuePosition(of: record),
      vrankCount: run?.plan.vrankCount ?? 0, planHash: run?.table.planHash,
      ranks: ranks ?? [], workers: workers?.suffix(Limits.workersMaximum) ?? [],
      protection: run?.protection ?? (record.isProtected ? .none : .off),
      recoveries: run?.recoveries ?? [], neededBytes: run?.neededBytes ?? 0,
      workerBytes: record.estimate.workerBytes, resultDigests: record.resultDigests)
  }

  /// 1 for the job that runs next. The order among several clients changes as they are served, so
  /// this counts those that would go first if nothing else arrived.
  private func queuePosition(of record: JobRecord) -> Int {
    guard record.state == .queued else { return 0 }
    var rest = self
    var position = 0
    while let next = rest.nextInQueue {
      position += 1
      if rest.jobs[next].id == record.id { return position }
      rest.serve(rest.jobs[next].client)
      rest.jobs.remove(at: next)
    }
    return position
  }
}
