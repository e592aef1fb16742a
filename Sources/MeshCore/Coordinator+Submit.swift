/// Admission: from submit to the queue.
extension Coordinator {
  mutating func submit(
    _ request: SubmitRequest, client: String, ticket: Ticket, at now: Duration,
    into effects: inout [Effect]
  ) {
    let spec = request.spec
    if let problem = problem(withJobName: request.name) {
      let failure = CallFailure(.invalidArgument, "the job's name: \(problem)")
      return reply(.failure(failure), to: ticket, into: &effects)
    }
    if let failure = refusal(of: spec, client: client) {
      return reply(.failure(failure), to: ticket, into: &effects)
    }
    // Where nobody may be given anything just now, the job waits for somebody who may.
    let fit = fit(spec, isProtected: request.isProtected, on: workersForJobs)
    if let failure = refusal(of: fit) {
      return reply(.failure(failure), to: ticket, into: &effects)
    }
    if request.isDryRun {
      let answer = SubmitReply(
        job: JobID(high: 0, low: 0), storeEndpoint: configuration.storeEndpoint,
        workerBytes: fit.estimate.workerBytes, diskBytes: fit.estimate.diskBytes)
      return reply(.success(.submitted(answer)), to: ticket, into: &effects)
    }
    let job = JobID(high: random.next(), low: random.next())
    var record = JobRecord(
      id: job, number: nextNumber, client: client, request: ticket.request, submit: request,
      estimate: fit.estimate, at: now, wallSeconds: wallSeconds(at: now))
    nextNumber += 1
    record.waiting = [ticket]
    jobs.append(record)
    save(jobs.endIndex - 1)
    observe(
      Observation(
        .jobSubmitted, job: job,
        detail: "by \(client)" + (request.name.isEmpty ? "" : ": \(request.name)")), at: now,
      into: &effects)
    effects.append(.store(.create(job, spec, client: client)))
  }

  private func refusal(of spec: AttentionJob, client: String) -> CallFailure? {
    if let problem = spec.problem { return CallFailure(.invalidArgument, problem) }
    // Tombstones of old jobs make room; live ones don't.
    if jobs.count(where: { !$0.state.isTerminal || !$0.isDiscarded }) >= Limits.jobsMaximum {
      return CallFailure(
        .resourceExhausted, "\(Limits.jobsMaximum) jobs are the limit; fetch or discard some")
    }
    let maps = jobs.filter { !$0.state.isTerminal }.reduce(0) { $0 + $1.spec.byteCount(.blockMap) }
    let most = Limits.blockMapsBytesMaximum
    if spec.mask.blocks != nil, maps + spec.byteCount(.blockMap) > most {
      return CallFailure(
        .resourceExhausted,
        "the block maps of waiting and running jobs take \(bytes(maps)), and \(bytes(most)) are the"
          + " limit; submit it again once some are done")
    }
    let mine = jobs.count { $0.client == client && !$0.state.isTerminal }
    if mine >= Limits.queuedJobsPerClientMaximum {
      return CallFailure(
        .resourceExhausted, "\(client) has \(counted(mine, "job")) waiting or running already")
    }
    return nil
  }

  /// Refuses with the numbers, before anything is sent.
  private func refusal(of fit: Fit) -> CallFailure? {
    let (needed, quota) = (fit.estimate.diskBytes, configuration.diskQuotaBytes)
    if needed > quota {
      return CallFailure(
        .resourceExhausted,
        "the job needs \(bytes(needed)) in the coordinator's store, whose whole quota is"
          + " \(bytes(quota)); start the coordinator with a larger --quota")
    }
    let used = jobs.reduce(0) { $0 + $1.diskBytes }
    if used + needed > quota {
      return CallFailure(
        .resourceExhausted,
        "the job needs \(bytes(needed)) in the coordinator's store, where"
          + " \(bytes(used)) of a quota of \(bytes(quota)) are taken; fetch or"
          + " discard results, or start the coordinator with a larger --quota")
    }
    return fit.isPossible ? nil : CallFailure(.resourceExhausted, memoryLack(fit))
  }

  mutating func start(
    _ job: JobID, ticket: Ticket, at now: Duration, into effects: inout [Effect]
  ) {
    guard let index = index(of: job) else {
      return reply(.failure(unknown(job)), to: ticket, into: &effects)
    }
    switch jobs[index].state {
    case .uploading where jobs[index].waiting.isEmpty:
      jobs[index].advance(to: .sealing)
      jobs[index].waiting = [ticket]
      // Not saved: a coordinator that is started again treats both states alike.
      effects.append(.store(.seal(job)))
    case .uploading:
      // Those who wait now wait for the reply to the submit.
      let failure = CallFailure(
        .unavailable, "the store is still making room for job \(job); try again")
      reply(.failure(failure), to: ticket, into: &effects)
    case .sealing:
      guard jobs[index].waiting.count < 8 else { break }
      jobs[index].waiting.append(ticket)
    case .queued, .running, .finishing, .done, .failed, .cancelled:
      reply(.success(.status(status(of: jobs[index], at: now))), to: ticket, into: &effects)
    }
  }

  mutating func receive(_ event: StoreEvent, at now: Duration, into effects: inout [Effect]) {
    switch event {
    case .created(let job):
      guard let index = index(of: job), jobs[index].state == .uploading else { return }
      answer(index, .success(.submitted(submitReply(jobs[index]))), into: &effects)
    case .received(let job):
      if let index = index(of: job) { jobs[index].lastUpload = now }
    case .sealed(let job, let inputs, let blocks):
      guard let index = index(of: job), jobs[index].state == .sealing else { return }
      jobs[index].seal(inputs, blocks)
      jobs[index].advance(to: .queued)
      save(index)
      observe(Observation(.jobQueued, job: job), at: now, into: &effects)
      answer(index, .success(.status(status(of: jobs[index], at: now))), into: &effects)
    case .stored(let job, let vrank, let epoch):
      finalise(job, vrank, epoch, at: now, into: &effects)
    case .finished(let job, let digests):
      guard let index = index(of: job), jobs[index].state == .finishing else { return }
      jobs[index].resultDigests = digests
      save(index)
      endIfFinished(index, at: now, into: &effects)
    case .dropped: break
    case .found(let job):
      guard let index = index(of: job), jobs[index].isResultMissing else { return }
      jobs[index].isResultMissing = false
      observe(Observation(.resultFound, job: job), at: now, into: &effects)
    case .failed(let job, let failure):
      guard let index = index(of: job) else { return }
      guard !jobs[index].state.isTerminal else {
        return missResult(index, failure, at: now, into: &effects)
      }
      observe(
        Observation(.storeAlarm, job: job, detail: failure.message), at: now, into: &effects)
      answer(index, .failure(failure), into: &effects)
      fail(index, failure.message, at: now, into: &effects)
    }
  }

  /// Of a job that is done the store has nothing: its files may come yet.
  private mutating func missResult(
    _ index: Int, _ failure: CallFailure, at now: Duration, into effects: inout [Effect]
  ) {
    guard jobs[index].state == .done, !jobs[index].isDiscarded, !jobs[index].isResultMissing,
      failure.code == .dataLoss
    else { return }
    jobs[index].isResultMissing = true
    observe(
      Observation(.resultMissing, job: jobs[index].id, detail: failure.message), at: now,
      into: &effects)
  }

  /// Replies to everyone who waits for the job's next state.
  mutating func answer(_ index: Int, _ outcome: CallOutcome, into effects: inout [Effect]) {
    let waiting = jobs[index].waiting
    jobs[index].waiting = []
    for ticket in waiting { reply(outcome, to: ticket, into: &effects) }
  }
}

/// A byte count for a person: three digits and a binary unit.
package func bytes(_ count: Int) -> String {
  let units = ["B", "KiB", "MiB", "GiB", "TiB"]
  var value = Double(count)
  var unit = 0
  while value >= 1_000, unit < units.count - 1 {
    value /= 1_024
    unit += 1
  }
  if unit == 0 { return "\(count) B" }
  let hundredths = Int((value * (value < 10 ? 100 : value < 100 ? 10 : 1)).rounded())
  switch value {
  case ..<10: return "\(hundredths / 100).\(hundredths / 10 % 10)\(hundredths % 10) \(units[unit])"
  case ..<100: return "\(hundredths / 10).\(hundredths % 10) \(units[unit])"
  default: return "\(hundredths) \(units[unit])"
  }
}
