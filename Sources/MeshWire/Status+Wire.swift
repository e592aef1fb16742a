internal import CMeshWire
internal import Checksums
internal import MeshCore

extension Arena {
  func summary(_ summary: JobSummary) -> UnsafeMutablePointer<Mesh__V1__JobSummary> {
    let message = make(mesh__v1__job_summary__init)
    message.pointee.job = job(summary.job)
    message.pointee.client = name(summary.client)
    message.pointee.state = Mesh__V1__JobState(UInt32(summary.state.rawValue))
    message.pointee.reason = text(summary.reason, maximum: Limits.textBytesMaximum)
    message.pointee.spec = spec(summary.spec)
    message.pointee.folded = wire64(summary.folded)
    message.pointee.total = wire64(summary.total)
    message.pointee.age_seconds = summary.ageSeconds
    message.pointee.wall_seconds = summary.wallSeconds
    message.pointee.name = name(summary.name)
    message.pointee.submitted_at = wireTime(summary.submittedAt)
    message.pointee.deadline_at = wireTime(summary.deadlineAt)
    let result = make(mesh__v1__result_status__init)
    result.pointee.state = Mesh__V1__ResultState(UInt32(summary.result.state.rawValue))
    result.pointee.at = wireTime(summary.result.at)
    result.pointee.client = name(summary.result.client)
    message.pointee.result = result
    message.pointee.mask = text(summary.mask, maximum: AttentionJob.maskTextBytesMaximum)
    message.pointee.flops = summary.flops
    return message
  }

  func status(_ status: JobStatus) -> UnsafeMutablePointer<Mesh__V1__JobStatus> {
    let message = make(mesh__v1__job_status__init)
    message.pointee.summary = summary(status.summary)
    message.pointee.queue_position = wire32(status.queuePosition)
    message.pointee.vrank_count = wire32(status.vrankCount)
    message.pointee.plan_hash = digest(status.planHash)
    (message.pointee.n_ranks, message.pointee.ranks) = list(status.ranks) {
      let rank = make(mesh__v1__rank_status__init)
      rank.pointee.vrank = wire32($0.vrank.index)
      rank.pointee.epoch = epoch($0.epoch)
      rank.pointee.worker = name($0.worker)
      rank.pointee.next = wire32($0.next)
      rank.pointee.needed = wire32($0.needed)
      rank.pointee.copied = wire32($0.copied)
      rank.pointee.durable = wire32($0.durable)
      rank.pointee.is_final = $0.isFinal ? 1 : 0
      return rank
    }
    (message.pointee.n_workers, message.pointee.workers) = list(status.workers) {
      let worker = make(mesh__v1__job_worker__init)
      worker.pointee.name = name($0.name)
      worker.pointee.level = name($0.level)
      worker.pointee.threads = wire32($0.threads)
      worker.pointee.traffic = traffic($0.traffic)
      worker.pointee.resident_bytes = wire64($0.residentBytes)
      return worker
    }
    message.pointee.protection = Mesh__V1__Protection(UInt32(status.protection.rawValue))
    // The newest of more.
    (message.pointee.n_recoveries, message.pointee.recoveries) = list(
      status.recoveries.suffix(Limits.recoveriesKeptMaximum), recovery)
    message.pointee.needed_bytes = wire64(status.neededBytes)
    message.pointee.worker_bytes = wire64(status.workerBytes)
    message.pointee.result_digests = digests(status.resultDigests)
    return message
  }
}

extension JobSummary {
  init(message: Mesh__V1__JobSummary) throws(WireError) {
    self.init(
      job: try JobID(required: message.job), client: try MeshWire.name(message.client, "client"),
      state: try enumeration(message.state.rawValue, "job state"),
      reason: try text(message.reason, maximum: Limits.textBytesMaximum, "reason"),
      spec: try AttentionJob(required: message.spec),
      mask: try text(message.mask, maximum: AttentionJob.maskTextBytesMaximum, "mask"),
      flops: try operations(message.flops),
      folded: try byteCount(message.folded, "folded tiles"),
      total: try byteCount(message.total, "tiles"),
      ageSeconds: try seconds(message.age_seconds, "age"),
      wallSeconds: try seconds(message.wall_seconds, "wall time"),
      name: try MeshWire.name(message.name, "name"),
      submittedAt: try optionalTime(message.submitted_at, "time of submit") ?? 0,
      deadlineAt: try optionalTime(message.deadline_at, "deadline"),
      result: try ResultStatus(message: try required(message.result, "result")))
  }
}

/// Numbers of operations.
private func operations(_ value: Double) throws(WireError) -> Double {
  guard (0...1e30).contains(value) else { throw .outOfRange("operations are \(value)") }
  return value
}

extension ResultStatus {
  init(message: Mesh__V1__ResultStatus) throws(WireError) {
    self.init(
      try enumeration(message.state.rawValue, "state of the result"),
      at: try optionalTime(message.at, "time of the result"),
      client: try name(message.client, "client"))
  }
}

extension JobStatus {
  init(required message: UnsafeMutablePointer<Mesh__V1__JobStatus>?) throws(WireError) {
    let message = try MeshWire.required(message, "job status")
    self.init(
      summary: try JobSummary(message: try MeshWire.required(message.summary, "summary")),
      queuePosition: try number(
        message.queue_position, in: 0...Limits.jobsMaximum, "queue position"),
      vrankCount: try number(message.vrank_count, in: 0...Limits.vranksMaximum, "virtual ranks"),
      planHash: try Digest.optional(message.plan_hash),
      ranks: try list(message.n_ranks, message.ranks, RankStatus.init(message:)),
      workers: try list(message.n_workers, message.workers, JobWorkerStatus.init(message:)),
      protection: try enumeration(message.protection.rawValue, "protection"),
      recoveries: try list(message.n_recoveries, message.recoveries, Recovery.init(message:)),
      neededBytes: try byteCount(message.needed_bytes, "needed bytes"),
      workerBytes: try byteCount(message.worker_bytes, "worker bytes"),
      resultDigests: try Digest.list(message.result_digests, maximum: OutputTensor.allCases.count))
  }
}

extension RankStatus {
  init(message: Mesh__V1__RankStatus) throws(WireError) {
    self.init(
      vrank: try VRank(wire: message.vrank), epoch: try Epoch(required: message.epoch),
      worker: try name(message.worker, "worker"),
      next: try tileCount(message.next, "next"),
      needed: try tileCount(message.needed, "needed"),
      copied: try tileCount(message.copied, "copied"),
      durable: try tileCount(message.durable, "durable"),
      isFinal: message.is_final != 0)
  }
}

extension JobWorkerStatus {
  init(message: Mesh__V1__JobWorker) throws(WireError) {
    self.init(
      name: try MeshWire.name(message.name, "name"),
      level: try MeshWire.name(message.level, "level"),
      threads: try number(message.threads, in: 0...WireCaps.threadsMaximum, "threads"),
      traffic: try Traffic(required: message.traffic),
      residentBytes: try byteCount(message.resident_bytes, "resident bytes"))
  }
}
