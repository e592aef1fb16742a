internal import CMeshWire
internal import MeshCore

// Replies of the control socket.

extension Arena {
  func reply(
    _ request: RequestID, _ outcome: CallOutcome
  ) -> UnsafeMutablePointer<Mesh__V1__Reply> {
    switch outcome {
    case .failure(let failure):
      return reply(request, failure: failure)
    case .success(let result):
      let message = reply(request)
      fill(message, result)
      return message
    }
  }

  private func fill(_ message: UnsafeMutablePointer<Mesh__V1__Reply>, _ result: CallReply) {
    switch result {
    case .submitted(let reply):
      let submitted = make(mesh__v1__submit_reply__init)
      submitted.pointee.job = job(reply.job)
      submitted.pointee.store_endpoint = endpoint(reply.storeEndpoint)
      submitted.pointee.worker_bytes = wire64(reply.workerBytes)
      submitted.pointee.disk_bytes = wire64(reply.diskBytes)
      message.pointee.result_case = MESH__V1__REPLY__RESULT_SUBMITTED
      message.pointee.submitted = submitted
    case .status(let reply):
      message.pointee.result_case = MESH__V1__REPLY__RESULT_JOB
      message.pointee.job = status(reply)
    case .jobs(let page):
      let reply = make(mesh__v1__job_list__init)
      (reply.pointee.n_jobs, reply.pointee.jobs) = list(
        page.jobs.prefix(Limits.jobsPerPageMaximum), summary)
      reply.pointee.next = wire64(page.next)
      reply.pointee.total = wire32(page.total)
      message.pointee.result_case = MESH__V1__REPLY__RESULT_JOBS
      message.pointee.jobs = reply
    case .result(let result):
      let output = make(mesh__v1__result_reply__init)
      output.pointee.status = status(result.status)
      output.pointee.store_endpoint = endpoint(result.storeEndpoint)
      message.pointee.result_case = MESH__V1__REPLY__RESULT_OUTPUT
      message.pointee.output = output
    case .workers(let workers):
      let reply = make(mesh__v1__worker_list__init)
      (reply.pointee.n_workers, reply.pointee.workers) = list(workers, worker)
      message.pointee.result_case = MESH__V1__REPLY__RESULT_WORKERS
      message.pointee.workers = reply
    case .events(let events):
      let reply = make(mesh__v1__events_reply__init)
      (reply.pointee.n_events, reply.pointee.events) = list(events.events, event)
      reply.pointee.next = events.next
      reply.pointee.missed = events.missed
      reply.pointee.term = events.term
      reply.pointee.wall_seconds = wireTime(events.wallSeconds)
      message.pointee.result_case = MESH__V1__REPLY__RESULT_EVENTS
      message.pointee.events = reply
    case .mesh(let status):
      message.pointee.result_case = MESH__V1__REPLY__RESULT_MESH
      message.pointee.mesh = mesh(status)
    }
  }
}

extension CallReply {
  init(_ message: Mesh__V1__Reply) throws(WireError) {
    switch message.result_case {
    case MESH__V1__REPLY__RESULT_SUBMITTED:
      let reply = try required(message.submitted, "submitted")
      self = .submitted(
        SubmitReply(
          job: try JobID(required: reply.job),
          storeEndpoint: try endpoint(reply.store_endpoint, "store endpoint"),
          workerBytes: try byteCount(reply.worker_bytes, "worker bytes"),
          diskBytes: try byteCount(reply.disk_bytes, "disk bytes")))
    case MESH__V1__REPLY__RESULT_JOB:
      self = .status(try JobStatus(required: message.job))
    case MESH__V1__REPLY__RESULT_JOBS:
      let reply = try required(message.jobs, "jobs")
      guard reply.n_jobs <= Limits.jobsPerPageMaximum else {
        throw .outOfRange("\(reply.n_jobs) jobs on a page")
      }
      self = .jobs(
        JobPage(
          jobs: try list(reply.n_jobs, reply.jobs, JobSummary.init(message:)),
          next: try byteCount(reply.next, "next page"),
          total: try number(reply.total, in: 0...Int(Int32.max), "jobs")))
    case MESH__V1__REPLY__RESULT_OUTPUT:
      let reply = try required(message.output, "result")
      self = .result(
        ResultReply(
          status: try JobStatus(required: reply.status),
          storeEndpoint: try endpoint(reply.store_endpoint, "store endpoint")))
    case MESH__V1__REPLY__RESULT_WORKERS:
      let reply = try required(message.workers, "workers")
      self = .workers(try list(reply.n_workers, reply.workers, WorkerStatus.init(message:)))
    case MESH__V1__REPLY__RESULT_EVENTS:
      let reply = try required(message.events, "events")
      var events = EventsReply(
        events: try list(reply.n_events, reply.events, RecordedEvent.init(message:)),
        next: reply.next, missed: reply.missed, term: reply.term)
      events.wallSeconds = try seconds(
        reply.wall_seconds, "time of day", maximum: WireCaps.timeOfDayMaximum)
      self = .events(events)
    case MESH__V1__REPLY__RESULT_MESH:
      self = .mesh(try MeshStatus(required: message.mesh))
    default:
      throw .missingField("result")
    }
  }
}
