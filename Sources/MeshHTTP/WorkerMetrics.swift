internal import MeshCore
internal import MeshRuntime

private typealias Sample = MetricsText.Sample

extension WorkerReport {
  /// - Parameter age: seconds since it was written.
  func metrics(age: Double) -> String {
    var text = MetricsText()
    text.gauge(
      "attnmesh_info", "What answers here.",
      [Sample([("role", "worker"), ("worker", name), ("level", level)], 1)])
    text.health(problem: problem(age: age), notReady: notReady(age: age), age: age)
    text.gauge("attnmesh_uptime_seconds", "Since the process began.", uptimeSeconds + age)
    text.gauge(
      "attnmesh_loop_lag_seconds",
      "The most by which the socket loop was late in the last 10 to 20 seconds.", loopLagSeconds)
    text.processMemory()
    addWork(to: &text)
    return text.text
  }

  private func addWork(to text: inout MetricsText) {
    let prefix = "attnmesh_worker_process_"
    text.gauge(prefix + "ranks", "Virtual ranks that it hosts.", Double(ranks.count))
    text.gauge(
      prefix + "rank_next_tiles", "The next K/V tile that a rank folds.",
      ranks.map { Sample("vrank", "\($0.vrank)", Double($0.next)) })
    text.gauge(
      prefix + "rank_tiles", "K/V tiles that a rank folds.",
      ranks.map { Sample("vrank", "\($0.vrank)", Double($0.needed)) })
    text.gauge(
      prefix + "held_copies", "Copies of other workers' ranks in its memory.", Double(heldCopies))
    text.gauge(prefix + "threads", "Compute threads.", Double(threads))
    text.gauge(prefix + "memory_bytes", "Bytes it may use for a job.", Double(memoryBytes))
    text.gauge(
      prefix + "stuck_seconds",
      "For how long the compute threads have got nothing done although they have work.",
      stuckSeconds)
    text.counter(
      prefix + "busy_seconds_total", "Time in which the compute threads had work.", busySeconds)
    text.counter(
      prefix + "items_total", "Items of work done by the compute threads.", Double(itemsDone))
    text.counter(prefix + "tiles_folded_total", "K/V tiles folded.", Double(tilesFolded))
    text.counter(
      prefix + "sent_bytes_total", "Bytes sent, by what they were for.", traffic.samples())
    text.counter(
      prefix + "compute_seconds_total", "Time of jobs in which the compute threads had work.",
      traffic.computeSeconds)
    text.counter(
      prefix + "wait_seconds_total",
      "Time in which they had none although the job wasn't finished.", traffic.waitSeconds)
    text.counter(
      prefix + "messages_dropped_total", "Messages that were malformed, stale or unasked for.",
      Double(traffic.dropped))
  }
}
