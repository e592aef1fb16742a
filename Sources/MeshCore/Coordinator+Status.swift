/// What is told about jobs.
extension Coordinator {
  func summary(of record: JobRecord, at now: Duration) -> JobSummary {
    let end = record.foldedAt ?? record.endedAt ?? now
    return JobSummary(
      job: record.id, client: record.client, state: record.state, reason: record.reason,
      spec: record.spec, folded: record.run?.folded ?? 0, total: record.run?.total ?? 0,
      ageSeconds: (now - record.submittedAt).seconds,
      wallSeconds: record.startedAt.map { (end - $0).seconds } ?? 0)
  }

  func status(of record: JobRecord, at now: Duration) -> JobStatus {
    let run = record.run
    let ranks = run.map { run in
      run.plan.vranks.map { vrank in
        let host = run.assignment.hosts[vrank.index]
        return RankStatus(
          vrank: vrank, epoch: host.epoch, worker: run.workers[host.peer].name,
          next: run.next[vrank.index], needed: run.needed[vrank.index],
          isFinal: run.isFinal[vrank.index])
      }
    }
    let workers = run.map { run in
      run.workers.indices.map { peer in
        JobWorkerStatus(
          name: run.workers[peer].name, level: run.workers[peer].level,
          threads: run.workers[peer].threads, traffic: run.traffic[peer],
          residentBytes: run.residentBytes[peer])
      }
    }
    return JobStatus(
      summary: summary(of: record, at: now), queuePosition: queuePosition(of: record),
      vrankCount: run?.plan.vrankCount ?? 0, planHash: run?.assignment.planHash,
      ranks: ranks ?? [], workers: workers ?? [],
      neededBytes: run?.neededBytes ?? 0,
      workerBytes: record.estimate.workerBytes, outputDigest: record.outputDigest,
      logSumExpDigest: record.logSumExpDigest)
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
