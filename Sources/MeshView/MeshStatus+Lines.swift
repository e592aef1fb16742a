package import MeshCore

extension MeshStatus {
  /// One screen for a person.
  package func lines(endpoint: String) -> [String] {
    var lines = [
      "coordinator  \(endpoint), attnmesh \(version), protocol version \(protocolVersion),"
        + " term \(term)",
      "up           \(age(uptimeSeconds)); its loop was late by at most"
        + " \(decimals(loopLagSeconds * 1_000, 0)) ms in the last 20 s",
      "store        \(bytes(storeBytes)) of \(bytes(storeQuotaBytes));"
        + (isPersistent ? " jobs outlive the coordinator" : " jobs end with the coordinator"),
      "workers      " + counts(workers.map { ($0.standing.name, $0.count) }, none: "none"),
      "jobs         " + counts(jobs.map { ($0.state.name, $0.count) }, none: "none"),
    ]
    if let running {
      let job = running.summary
      lines.append(
        "running      \(job.job) for \(job.client): \(percent(job.folded, of: job.total)) of"
          + " \(job.total) tiles in \(age(job.wallSeconds))"
          + (job.reason.isEmpty ? "" : "; \(job.reason)"))
      lines.append("protection   \(running.protection.name)")
    }
    guard !alarms.isEmpty else { return (lines + ["alarms       none"]).map(printable) }
    return (lines + ["alarms"] + alarms.map { line($0, uptime: uptimeSeconds) }).map(printable)
  }
}
