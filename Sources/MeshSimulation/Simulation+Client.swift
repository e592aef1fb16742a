internal import MeshCore

/// The client: submits one job, follows it, and looks whether what it was told stays true.
extension Simulation {
  func callFromClient() {
    queue.add(.client, at: now + 400 * Time.millisecond)
    guard let coordinator, !coordinator.isPaused else { return }
    switch client.stage {
    case .submitting:
      call(
        .submit(
          SubmitRequest(spec: job.spec, deadlineSeconds: 0, isProtected: options.isProtected)),
        id: client.submitRequest, coordinator)
    case .starting: if let job = client.job { call(.start(job), coordinator) }
    case .watching: if let job = client.job { call(.status(job), coordinator) }
    }
    if let name = client.draining {
      client.draining = nil
      call(.drain(name), coordinator)
    }
    if let name = client.cordoned {
      client.cordoned = nil
      call(.cordon(name, isLifted: false), coordinator)
    }
    for name in client.lifted { call(.cordon(name, isLifted: true), coordinator) }
  }

  private func call(
    _ request: CallRequest, id: UInt64? = nil, _ coordinator: CoordinatorProcess
  ) {
    client.calls += 1
    let request = (request: request, id: RequestID(high: 7, low: id ?? 1_000 + client.calls))
    let header = CallHeader(
      request: request.id, role: .operator, client: "client",
      method: request.request.method.rawValue, remaining: .seconds(5))
    let ticket = Coordinator.Ticket(caller: client.calls, request: request.id)
    queue.add(
      .coordinator(term: coordinator.term, .call(header, request.request, ticket)),
      at: now + options.network.delay)
  }

  func receive(_ outcome: CallOutcome) {
    switch outcome {
    case .success(.submitted(let reply)):
      if let known = client.job, known != reply.job, client.stage != .submitting {
        ledger.fail(.oneEnd, "one request id gave the jobs \(known) and \(reply.job)")
      }
      guard client.stage == .submitting else { return }
      client.job = reply.job
      client.stage = .starting
      if let coordinator { call(.start(reply.job), coordinator) }
    case .success(.status(let status)) where status.summary.job == client.job:
      client.stage = .watching
      client.status = status
      ledger.note(status)
      if status.summary.state.isTerminal { ended(status) }
    case .failure(let failure) where failure.code == .notFound && client.stage != .watching:
      // The coordinator died before the job was on disk: it never was.
      client.stage = .submitting
    default: break
    }
  }

  private func ended(_ status: JobStatus) {
    // Before its tensors have arrived a job dies with its coordinator: it is submitted again.
    if status.summary.state == .failed, status.ranks.isEmpty, terminalAt == nil {
      coverage.add(.path(.resubmitted))
      ledger.forgetJob()
      let lifted = client.lifted
      client = SimulatedClient()
      client.lifted = lifted
      client.submitRequest = UInt64(now)
      return
    }
    guard terminalAt == nil else { return }
    terminalAt = now
    say { "job is \(status.summary.state.name) \(status.summary.reason)" }
    queue.add(.heal, at: now)
  }
}
