internal import CMeshWire
internal import MeshCore

extension Arena {
  func mesh(_ status: MeshStatus) -> UnsafeMutablePointer<Mesh__V1__MeshStatus> {
    let message = make(mesh__v1__mesh_status__init)
    message.pointee.version = name(status.version)
    message.pointee.protocol_version = wire32(status.protocolVersion)
    message.pointee.term = status.term
    message.pointee.uptime_seconds = status.uptimeSeconds
    message.pointee.store_bytes = wire64(status.storeBytes)
    message.pointee.store_quota_bytes = wire64(min(status.storeQuotaBytes, WireCaps.bytesMaximum))
    message.pointee.is_persistent = status.isPersistent ? 1 : 0
    message.pointee.loop_lag_seconds = status.loopLagSeconds
    (message.pointee.n_workers, message.pointee.workers) = list(status.workers) {
      let count = make(mesh__v1__mesh_status__worker_count__init)
      count.pointee.standing = Mesh__V1__WorkerStanding(UInt32($0.standing.rawValue))
      count.pointee.count = wire32($0.count)
      return count
    }
    (message.pointee.n_jobs, message.pointee.jobs) = list(status.jobs) {
      let count = make(mesh__v1__mesh_status__job_count__init)
      count.pointee.state = Mesh__V1__JobState(UInt32($0.state.rawValue))
      count.pointee.count = wire32($0.count)
      return count
    }
    message.pointee.running = status.running.map { job in
      let running = make(mesh__v1__mesh_status__running_job__init)
      running.pointee.summary = summary(job.summary)
      running.pointee.protection = Mesh__V1__Protection(UInt32(job.protection.rawValue))
      return running
    }
    (message.pointee.n_alarms, message.pointee.alarms) = list(
      status.alarms.suffix(Limits.alarmsToldMaximum), event)
    return message
  }
}

extension MeshStatus {
  init(required message: UnsafeMutablePointer<Mesh__V1__MeshStatus>?) throws(WireError) {
    let message = try MeshWire.required(message, "mesh status")
    self.init(
      version: try name(message.version, "version"),
      protocolVersion: try number(
        message.protocol_version, in: 0...Int(Int32.max), "protocol version"),
      term: message.term, uptimeSeconds: try seconds(message.uptime_seconds, "uptime"),
      storeBytes: try byteCount(message.store_bytes, "bytes of the store"),
      storeQuotaBytes: try byteCount(message.store_quota_bytes, "quota of the store"),
      isPersistent: message.is_persistent != 0,
      loopLagSeconds: try seconds(message.loop_lag_seconds, "lag of the loop"),
      workers: try list(message.n_workers, message.workers, WorkerCount.init(message:)),
      jobs: try list(message.n_jobs, message.jobs, JobCount.init(message:)),
      running: try message.running.map { running throws(WireError) in
        try RunningJob(message: running.pointee)
      },
      alarms: try list(message.n_alarms, message.alarms, RecordedEvent.init(message:)))
  }
}

extension MeshStatus.WorkerCount {
  init(message: Mesh__V1__MeshStatus__WorkerCount) throws(WireError) {
    self.init(
      standing: try enumeration(message.standing.rawValue, "standing"),
      count: try number(message.count, in: 0...Limits.workersMaximum, "workers"))
  }
}

extension MeshStatus.JobCount {
  init(message: Mesh__V1__MeshStatus__JobCount) throws(WireError) {
    self.init(
      state: try enumeration(message.state.rawValue, "job state"),
      count: try number(message.count, in: 0...Int(Int32.max), "jobs"))
  }
}

extension MeshStatus.RunningJob {
  init(message: Mesh__V1__MeshStatus__RunningJob) throws(WireError) {
    self.init(
      summary: try JobSummary(message: try required(message.summary, "summary")),
      protection: try enumeration(message.protection.rawValue, "protection"))
  }
}
