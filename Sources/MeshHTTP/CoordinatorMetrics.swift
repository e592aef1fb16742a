internal import MeshCore
internal import MeshRuntime

private typealias Sample = MetricsText.Sample

extension CoordinatorReport {
  /// - Parameter age: seconds since it was written.
  func metrics(age: Double) -> String {
    var text = MetricsText()
    text.gauge("attnmesh_info", "What answers here.", [Sample("role", "coordinator", 1)])
    text.health(problem: problem(age: age), notReady: notReady(age: age), age: age)
    text.gauge(
      "attnmesh_uptime_seconds", "Since the process began.", snapshot.seconds + age)
    text.gauge(
      "attnmesh_loop_lag_seconds",
      "The most by which the control loop was late in the last 10 to 20 seconds.", loopLagSeconds)
    text.counter(
      "attnmesh_loop_late_seconds_total", "By how much the control loop was late, added up.",
      counters.loopLateSeconds)
    text.gauge(
      "attnmesh_coordinator_term", "Grows with each start on the same store.",
      Double(snapshot.term))
    text.processMemory()
    addStore(to: &text)
    addTraffic(to: &text)
    addJobs(to: &text)
    addWorkers(to: &text)
    return text.text
  }

  private func addStore(to text: inout MetricsText) {
    text.gauge(
      "attnmesh_store_used_bytes", "Bytes that jobs have reserved in the store.",
      Double(snapshot.storeUsedBytes))
    text.gauge(
      "attnmesh_store_quota_bytes", "Bytes that they may reserve.",
      Double(snapshot.storeQuotaBytes))
    text.gauge(
      "attnmesh_store_failing", "1 while the coordinator's state can't be written.",
      snapshot.isStoreFailing ? 1 : 0)
    text.gauge(
      "attnmesh_commit_wait_seconds", "For how long the oldest commit has waited for the disk.",
      commitWaitSeconds)
    text.counter(
      "attnmesh_commits_total", "Commits of the coordinator's state that are on disk.",
      Double(snapshot.commitsDone))
  }

  private func addTraffic(to text: inout MetricsText) {
    text.counter(
      "attnmesh_events_total", "Things that happened, as attnmesh events tells them.",
      Observation.Kind.allCases.map { Sample("kind", $0.name, Double(counters.events[$0] ?? 0)) })
    text.counter(
      "attnmesh_calls_total", "Calls of clients by their outcome: OK, or why they were refused.",
      StatusCode.allCases.map { code in
        let count = code == .ok ? counters.callsAnswered : counters.callsRefused[code] ?? 0
        return Sample("code", code.metricName, Double(count))
      })
    text.counter(
      "attnmesh_messages_dropped_total",
      "Control messages that were malformed, unasked for or could not be sent.",
      Double(counters.messagesDropped))
    text.counter(
      "attnmesh_sent_bytes_total", "Bytes that workers have sent, by what they were for.",
      counters.traffic.samples())
    text.counter(
      "attnmesh_compute_seconds_total", "Time in which workers' compute threads had work.",
      counters.traffic.computeSeconds)
    text.counter(
      "attnmesh_wait_seconds_total",
      "Time in which workers' compute threads had none although their job wasn't finished.",
      counters.traffic.waitSeconds)
  }

  private func addJobs(to text: inout MetricsText) {
    text.gauge(
      "attnmesh_jobs", "Jobs that are known, by state.",
      zip(JobState.allCases, snapshot.jobCounts).map { Sample("state", $0.name, Double($1)) })
    text.gauge("attnmesh_queue_length", "Jobs that wait for their turn.", Double(queueLength))
    text.counter(
      "attnmesh_tiles_folded_total",
      "K/V tiles that virtual ranks have folded, those that were folded again included.",
      Double(counters.tilesFolded))
    text.counter(
      "attnmesh_recoveries_total",
      "Virtual ranks that went on elsewhere, by where their state was found.",
      RestoreTier.allCases.map { tier in
        Sample("source", tier.metricName, Double(counters.recoveries[tier] ?? 0))
      })
    let job = runningJob
    text.gauge(
      "attnmesh_job_folded_tiles", "Of the running job, over all its ranks; 0 without one.",
      Double(job?.summary.folded ?? 0))
    text.gauge(
      "attnmesh_job_tiles", "To fold for the running job, over all its ranks; 0 without one.",
      Double(job?.summary.total ?? 0))
    text.gauge(
      "attnmesh_job_wall_seconds", "For how long the running job has been computed.",
      job?.summary.wallSeconds ?? 0)
    text.gauge(
      "attnmesh_job_unprotected_tiles",
      "Folded by the running job and in no copy and no checkpoint: what would be folded again.",
      Double(job?.unprotectedTiles ?? 0))
    text.gauge(
      "attnmesh_job_protection", "1 for what protects the running job; all 0 without one.",
      Protection.allCases.map { state in
        Sample("state", state.metricName, job?.protection == state ? 1 : 0)
      })
  }

  private func addWorkers(to text: inout MetricsText) {
    let workers = snapshot.workers
    text.gauge(
      "attnmesh_workers", "Workers that are there, by standing.",
      WorkerStanding.allCases.filter { $0 != .lost }.map { standing in
        let count = workers.count { $0.status.standing == standing }
        return Sample("standing", standing.name, Double(count))
      })
    typealias Member = CoordinatorSnapshot.MemberSnapshot
    func each(_ value: (Member) -> Double) -> [Sample] {
      workers.map { Sample("worker", $0.status.name, value($0)) }
    }
    text.gauge(
      "attnmesh_worker_silent_seconds", "Since the worker was last heard of.",
      each { $0.status.silentSeconds })
    text.gauge(
      "attnmesh_worker_stuck_seconds",
      "For how long the worker's compute threads have got nothing done although they have work.",
      each(\.stuckSeconds))
    text.gauge(
      "attnmesh_worker_straggler", "1 if the worker was told of as a straggler in this job.",
      each { $0.isStraggler ? 1 : 0 })
    text.gauge(
      "attnmesh_worker_ranks", "Virtual ranks that the worker hosts.",
      each { Double($0.status.vranks.count) })
    text.gauge("attnmesh_worker_threads", "Compute threads.", each { Double($0.status.threads) })
    text.gauge(
      "attnmesh_worker_memory_bytes", "Bytes that the worker may use for a job.",
      each { Double($0.status.memoryBytes) })
    text.gauge(
      "attnmesh_worker_resident_peak_bytes", "The most bytes that were resident at once.",
      each { Double($0.status.residentBytes) })
    let traffic = counters.workerTraffic
    func total(_ value: (Traffic) -> Double) -> [Sample] {
      each { value(traffic[$0.status.name] ?? Traffic()) }
    }
    text.counter(
      "attnmesh_worker_sent_bytes_total", "Bytes that the worker has sent, by what they were for.",
      workers.flatMap { (traffic[$0.status.name] ?? Traffic()).samples(of: $0.status.name) })
    text.counter(
      "attnmesh_worker_compute_seconds_total",
      "Time in which the worker's compute threads had work.", total(\.computeSeconds))
    text.counter(
      "attnmesh_worker_wait_seconds_total",
      "Time in which they had none although the job wasn't finished.", total(\.waitSeconds))
    text.counter(
      "attnmesh_worker_messages_dropped_total",
      "Data messages that were malformed, stale or unasked for.", total { Double($0.dropped) })
  }
}

extension Traffic {
  /// Bytes by purpose.
  func samples(of worker: String? = nil) -> [MetricsText.Sample] {
    let bytes = [
      ("tiles", tileBytes), ("inputs", inputBytes), ("results", resultBytes), ("copies", copyBytes),
    ]
    return bytes.map { purpose, count in
      let labels = (worker.map { [("worker", $0)] } ?? []) + [("purpose", purpose)]
      return MetricsText.Sample(labels.map { (name: $0.0, value: $0.1) }, Double(count))
    }
  }
}

extension JobStatus {
  var unprotectedTiles: Int {
    ranks.reduce(0) { $0 + ($1.isFinal ? 0 : max(0, $1.next - max($1.copied, $1.durable))) }
  }
}
