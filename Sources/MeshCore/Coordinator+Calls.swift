/// The methods of the control socket.
extension Coordinator {
  mutating func receive(
    _ request: CallRequest, header: CallHeader, ticket: Ticket, at now: Duration,
    into effects: inout [Effect]
  ) {
    if let failure = request.method.refusal(of: header) {
      effects.append(.reply(.failure(failure), to: ticket))
      return
    }
    // Before kept replies, which whoever asked first may see.
    if let failure = refusal(of: request, to: header) {
      effects.append(.reply(.failure(failure), to: ticket))
      return
    }
    if request.method.isKept {
      // Their replies would wait for the disk, and who knows how many of them.
      if commits.isFailing, !replies.holds(ticket.request) {
        effects.append(.reply(.failure(unwritable), to: ticket))
        return
      }
      switch replies.admit(request, ticket: ticket) {
      case .new: break
      case .repeated(let outcome):
        effects.append(.reply(outcome, to: ticket))
        return
      case .joined: return
      case .conflict:
        effects.append(.reply(.failure(conflict(ticket.request)), to: ticket))
        return
      }
    } else if replies.holds(ticket.request) {
      // Its reply would be taken for that of the call which is kept under this id.
      effects.append(.reply(.failure(conflict(ticket.request)), to: ticket))
      return
    }
    perform(request, header: header, ticket: ticket, at: now, into: &effects)
  }

  /// Why a client isn't served: jobs of others are none of its business, and aren't there for it.
  private func refusal(of request: CallRequest, to header: CallHeader) -> CallFailure? {
    guard header.role == .client else { return nil }
    switch request {
    case .start(let job), .status(let job), .cancel(let job), .result(let job), .discard(let job),
      .remove(let job):
      return owns(job, header) ? nil : unknown(job)
    case .events(let request):
      guard let job = request.job else { return nil }
      return owns(job, header) ? nil : unknown(job)
    case .submit, .list, .workers, .drain, .cordon, .mesh: return nil
    }
  }

  private func owns(_ job: JobID, _ header: CallHeader) -> Bool {
    index(of: job).map { jobs[$0].client == header.client } ?? false
  }

  private func conflict(_ request: RequestID) -> CallFailure {
    CallFailure(.alreadyExists, "request id \(request) was used for another request")
  }

  private mutating func perform(
    _ request: CallRequest, header: CallHeader, ticket: Ticket, at now: Duration,
    into effects: inout [Effect]
  ) {
    switch request {
    case .submit(let submit):
      self.submit(submit, client: header.client, ticket: ticket, at: now, into: &effects)
    case .start(let job):
      start(job, ticket: ticket, at: now, into: &effects)
    case .status(let job):
      reply(
        withJob(job) { .success(.status(status(of: $0, at: now, isAsked: true))) }, to: ticket,
        into: &effects)
    case .list(let request):
      reply(
        .success(.jobs(list(request, for: header, at: now))), to: ticket, into: &effects)
    case .cancel(let job):
      cancel(job, by: header.client, ticket: ticket, at: now, into: &effects)
    case .result(let job):
      reply(withJob(job) { result(of: $0, at: now) }, to: ticket, into: &effects)
    case .discard(let job):
      discard(job, by: header.client, ticket: ticket, at: now, into: &effects)
    case .remove(let job):
      remove(job, by: header.client, ticket: ticket, at: now, into: &effects)
    case .workers:
      reply(.success(.workers(workerList(at: now, for: header))), to: ticket, into: &effects)
    case .drain(let name):
      drain(name, by: header.client, ticket: ticket, at: now, into: &effects)
    case .cordon(let name, let isLifted):
      cordon(
        name, isLifted: isLifted, by: header.client, ticket: ticket, at: now, into: &effects)
    case .mesh:
      reply(.success(.mesh(meshStatus(at: now))), to: ticket, into: &effects)
    case .events(let request):
      let owner = header.role == .client ? header.client : nil
      let found = read(request, ofJobsOf: owner)
      guard found.isNothing else {
        return reply(.success(.events(stamped(found, at: now))), to: ticket, into: &effects)
      }
      park(
        ParkedCall(
          request: request, ticket: ticket, client: header.client, owner: owner,
          until: now + header.remaining),
        at: now, into: &effects)
    }
  }

  /// Workers as somebody may see them: whose job they work for is told to its client and to those who
  /// see all.
  private func workerList(at now: Duration, for header: CallHeader) -> [WorkerStatus] {
    // The newest losses, as many as there is room for.
    (workerList(at: now) + lost.told(at: now)).prefix(Limits.workersMaximum).map { worker in
      guard header.role == .client, let job = worker.job, !owns(job, header) else { return worker }
      var worker = worker
      (worker.job, worker.vranks) = (nil, [])
      return worker
    }
  }

  func workerList(at now: Duration) -> [WorkerStatus] {
    members.sorted { ($0.name, $0.id) < ($1.name, $1.id) }.map { status(of: $0, at: now) }
  }

  /// Every reply goes through here, so that a retry gets the same one.
  mutating func reply(_ outcome: CallOutcome, to ticket: Ticket, into effects: inout [Effect]) {
    for waiting in replies.finish(ticket, outcome) {
      effects.append(.reply(outcome, to: waiting))
    }
  }

  private func withJob(_ job: JobID, _ body: (JobRecord) -> CallOutcome) -> CallOutcome {
    guard let index = index(of: job) else { return .failure(unknown(job)) }
    return body(jobs[index])
  }

  func unknown(_ job: JobID) -> CallFailure {
    CallFailure(.notFound, "no job \(job) here; `attnmesh jobs` lists those there are")
  }

  /// - Parameter owner: whoever sees the events of its own jobs only; nil for one that sees all.
  private func read(_ request: EventsRequest, ofJobsOf owner: String?) -> EventsReply {
    guard let owner, request.job == nil else { return events.read(request) }
    // Not looked for until there is an event.
    lazy var own = Set(jobs.filter { $0.client == owner }.map(\.id))
    return events.read(request) { job in job.map { own.contains($0) } ?? false }
  }

  private func result(of record: JobRecord, at now: Duration) -> CallOutcome {
    guard record.state == .done else {
      let why = record.reason.isEmpty ? "" : ": \(record.reason)"
      return .failure(
        CallFailure(.failedPrecondition, "job \(record.id) is \(record.state.name)\(why)"))
    }
    guard !record.isDiscarded else {
      return .failure(CallFailure(.notFound, gone(record, at: now)))
    }
    return .success(
      .result(
        ResultReply(
          status: status(of: record, at: now), storeEndpoint: configuration.storeEndpoint)))
  }

  private mutating func cancel(
    _ job: JobID, by client: String, ticket: Ticket, at now: Duration, into effects: inout [Effect]
  ) {
    guard let index = index(of: job) else {
      return reply(.failure(unknown(job)), to: ticket, into: &effects)
    }
    if !jobs[index].state.isTerminal {
      end(index, as: .cancelled, "cancelled by \(client)", at: now, into: &effects)
    }
    reply(.success(.status(status(of: jobs[index], at: now))), to: ticket, into: &effects)
  }

  private func stamped(_ reply: EventsReply, at now: Duration) -> EventsReply {
    var reply = reply
    reply.wallSeconds = wallSeconds(at: now)
    return reply
  }

  /// When and why a result is no longer kept.
  private func gone(_ record: JobRecord, at now: Duration) -> String {
    let result = result(of: record)
    let why =
      switch result.state {
      case .expired:
        "; the coordinator keeps results for \(span(configuration.retention)) (--retention)"
      case .discarded where result.at == nil: " or has expired"
      default: ""
      }
    let verb = result.state == .expired ? "" : "was "
    return "the result of job \(record.id) is no longer kept: it \(verb)\(result.line)\(why);"
      + " submit the job again"
  }

  private mutating func discard(
    _ job: JobID, by client: String, ticket: Ticket, at now: Duration, into effects: inout [Effect]
  ) {
    guard let index = index(of: job) else {
      return reply(.failure(unknown(job)), to: ticket, into: &effects)
    }
    guard jobs[index].state.isTerminal else {
      let failure = CallFailure(
        .failedPrecondition, "job \(job) is \(jobs[index].state.name); cancel it first")
      return reply(.failure(failure), to: ticket, into: &effects)
    }
    drop(index, ResultStatus(.discarded, client: client), at: now, into: &effects)
    save(index)
    reply(.success(.status(status(of: jobs[index], at: now))), to: ticket, into: &effects)
  }

  // MARK: Waiting for events

  private mutating func park(
    _ call: ParkedCall, at now: Duration, into effects: inout [Effect]
  ) {
    // A caller that asks again under the same id still waits once.
    parked.removeAll { $0.ticket == call.ticket }
    let own = parked.count { $0.client == call.client }
    var waiting: String?
    if own >= Limits.parkedCallsPerClientMaximum {
      waiting = "\(counted(own, "call")) of \(call.client)"
    } else if parked.count >= Limits.parkedCallsMaximum {
      waiting = counted(parked.count, "call")
    }
    if let waiting {
      let failure = CallFailure(
        .resourceExhausted, "\(waiting) wait for events already; try again later")
      return reply(.failure(failure), to: call.ticket, into: &effects)
    }
    parked.append(call)
  }

  mutating func answerParkedCalls(at now: Duration, into effects: inout [Effect]) {
    guard !parked.isEmpty else { return }
    // Something of an answer before the caller gives up.
    let margin = Duration.milliseconds(200)
    var waiting: [ParkedCall] = []
    for var call in parked {
      let found = read(call.request, ofJobsOf: call.owner)
      if found.isNothing, now + margin < call.until {
        // What isn't for it is looked through once.
        (call.request.after, call.request.term) = (found.next, found.term)
        waiting.append(call)
      } else {
        effects.append(.reply(.success(.events(stamped(found, at: now))), to: call.ticket))
      }
    }
    parked = waiting
  }
}
