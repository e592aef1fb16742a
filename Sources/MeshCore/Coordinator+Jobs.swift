/// From the queue to the end: whose turn it is, placement, results, expiry.
extension Coordinator {
  /// Gives the workers to the next job, if they are free. Fair by client: the client served longest
  /// ago goes first, and within a client the job submitted first.
  mutating func startNextJob(at now: Duration, into effects: inout [Effect]) {
    guard activeIndex == nil else { return }
    // After every event, hundreds a second in a large mesh: nothing is sorted before it has to be.
    let lack = lack(of: ableForJobs.count, at: now)
    let queue = queueInOrder
    guard !queue.isEmpty else { return }
    if let lack {
      for index in queue { jobs[index].wait(lack) }
      return
    }
    let workers = workersForJobs
    // One that is too large for those who are here doesn't keep the others waiting.
    for index in queue where start(index, on: workers, at: now, into: &effects) { return }
  }

  /// - Returns: false, with the reason in the job, if it needs more memory than there is.
  private mutating func start(
    _ index: Int, on workers: [Member], at now: Duration, into effects: inout [Effect]
  ) -> Bool {
    let ids = workers.map(\.id)
    guard let inputs = jobs[index].inputs, !jobs[index].lacksBlocks,
      jobs[index].unfitWorkers != ids
    else { return false }
    let isProtected = jobs[index].isProtected
    let fit = fit(
      jobs[index].spec, blocks: jobs[index].blocks, isProtected: isProtected, on: workers)
    guard fit.isPossible else {
      let lack = memoryLack(fit)
      if configuration.isClosed {
        fail(index, lack, at: now, into: &effects)
      } else {
        jobs[index].wait("waits for workers with memory: \(lack)", unfit: ids)
      }
      return false
    }
    let (plan, used) = (fit.plan, fit.used)
    jobs[index].estimate = fit.estimate
    let table = firstTable(jobs[index].id, plan, inputs, used, isProtected: isProtected)
    jobs[index].run = JobRun(plan: plan, table: table, workers: used.map(\.hello))
    jobs[index].advance(to: .running)
    jobs[index].startedAt = now
    for member in members.indices { members[member].pace = TilePace() }
    save(index)
    serve(jobs[index].client)
    let without = memoryNote(fit.small, needed: fit.estimate.workerBytes)
    observe(
      Observation(
        .jobStarted, job: table.job,
        detail: "\(counted(plan.vrankCount, "virtual rank")) on \(counted(used.count, "worker"))"
          + (without.isEmpty ? "" : ", \(without)")),
      at: now, into: &effects)
    effects.append(
      .store(
        .begin(
          table, plan: plan, isFinal: [Bool](repeating: false, count: plan.vrankCount))))
    announce(index, into: &effects)
    return true
  }

  /// Tells everybody in a job's table who hosts what.
  func announce(_ index: Int, into effects: inout [Effect]) {
    guard let table = jobs[index].run?.table else { return }
    for peer in table.peers {
      effects.append(.send(.assign(table, term: configuration.term), to: peer.worker))
    }
  }

  /// Indices of queued jobs, the one whose turn it is first.
  private var queueInOrder: [Int] {
    let queued = jobs.indices.filter { jobs[$0].state == .queued }
    return queued.sorted { left, right in
      let (a, b) = (lastServed(jobs[left].client), lastServed(jobs[right].client))
      return (a, left) < (b, right)
    }
  }

  /// Index of the queued job whose turn it is.
  var nextInQueue: Int? { queueInOrder.first }

  /// 0 for a client never served, then in the order of service.
  private func lastServed(_ client: String) -> Int {
    servedClients.firstIndex(of: client).map { $0 + 1 } ?? 0
  }

  mutating func serve(_ client: String) {
    servedClients.removeAll { $0 == client }
    servedClients.append(client)
    if servedClients.count > Limits.jobsMaximum { servedClients.removeFirst() }
  }

  /// What a job waits for that nobody can be given.
  var lackOfWorkers: String {
    let cordoned = members.filter { $0.isCordoned && !$0.isDraining }
    guard let first = cordoned.min(by: { naturalOrder($0.name, $1.name) }) else {
      return "waits for workers"
    }
    let whose = cordoned.count == 1 ? "\(first.name) is" : "all \(cordoned.count) here are"
    return "waits for workers: \(whose) cordoned; `attnmesh uncordon \(first.name)` lets it work"
  }

  private mutating func firstTable(
    _ job: JobID, _ plan: Plan, _ inputs: InputDigests, _ workers: [Member], isProtected: Bool
  ) -> Assignment {
    let placement = Plan.hosts(vranks: plan.vrankCount, workers: workers.count)
    let places = workers.map { $0.place(load: 0) }
    let peers = workers.map(\.peer)
    var kept: [WorkerID: Int] = [:]
    let room = MemoryEstimate.copies(vranks: plan.vrankCount, workers: workers.count)
    let hosts = plan.vranks.map { vrank in
      let peer = placement[vrank.index]
      let holder =
        isProtected
        ? self.holder(vrank, peer, places, keeping: nil) { kept[$0, default: 0] >= room } : nil
      if let holder { kept[holder, default: 0] += 1 }
      return Assignment.Host(
        peer: peer, epoch: mintEpoch(),
        holder: holder.flatMap { holder in peers.firstIndex { $0.worker == holder } })
    }
    return Assignment(
      job: job, spec: plan.job, inputs: inputs, vrankCount: plan.vrankCount,
      planHash: plan.hash(inputs: inputs, numerics: workers[0].hello.numerics),
      revision: mintEpoch(), isProtected: isProtected, peers: peers, hosts: hosts)
  }

  /// Marks a virtual rank final, once its result is synced, and lets the worker drop it.
  mutating func finalise(
    _ job: JobID, _ vrank: VRank, _ epoch: Epoch, at now: Duration, into effects: inout [Effect]
  ) {
    guard let index = index(of: job), jobs[index].state == .running, var run = jobs[index].run,
      run.ranks.indices.contains(vrank.index), run.table.hosts[vrank.index].epoch == epoch
    else { return }
    effects.append(.store(.acknowledge(job, vrank, epoch)))
    guard !run.ranks[vrank.index].isFinal else { return }
    run.ranks[vrank.index].isFinal = true
    run.ranks[vrank.index].next = run.ranks[vrank.index].needed
    jobs[index].run = run
    save(index)
    observe(
      Observation(.vrankFinal, job: job, worker: name(ofHost: vrank, in: run), vrank: vrank),
      at: now, into: &effects)
    guard run.isWholeFinal else { return letGoDrained(at: now, into: &effects) }
    if jobs[index].foldedAt == nil { jobs[index].foldedAt = now }
    jobs[index].advance(to: .finishing)
    jobs[index].finishingAt = now
    // Nobody needs a tile any more; each worker answers with its final counters.
    for peer in run.table.peers {
      effects.append(
        .send(.release(job, isOver: true, term: configuration.term), to: peer.worker))
    }
    effects.append(.store(.finish(job)))
  }

  func name(ofHost vrank: VRank, in run: JobRun) -> String? {
    run.host(of: vrank).flatMap { run.participant($0) }.map { run.participants[$0].identity.name }
  }

  /// A finishing job is done once its result is digested and every worker gave its final counters;
  /// a worker that doesn't is not waited for long.
  mutating func endIfFinished(_ index: Int, at now: Duration, into effects: inout [Effect]) {
    let job = jobs[index]
    guard job.state == .finishing, !job.resultDigests.isEmpty, let run = job.run,
      let since = job.finishingAt
    else { return }
    let present = run.participants.filter { participant in
      members.contains { $0.id == participant.identity.worker }
    }
    guard present.allSatisfy(\.hasReported) || now - since >= Limits.heartbeatTimeout else {
      return
    }
    end(index, as: .done, "", at: now, into: &effects)
  }

  mutating func fail(
    _ index: Int, _ reason: String, at now: Duration, into effects: inout [Effect]
  ) {
    end(index, as: .failed, reason, at: now, into: &effects)
  }

  /// The only way into a terminal state. The record stays as a tombstone that refuses whatever
  /// still arrives for the job.
  mutating func end(
    _ index: Int, as state: JobState, _ reason: String, at now: Duration,
    into effects: inout [Effect]
  ) {
    jobs[index].advance(to: state, reason: reason)
    jobs[index].endedAt = now
    save(index)
    jobs[index].forgetBlocks()
    let job = jobs[index].id
    if let table = jobs[index].run?.table, !table.isProtected {
      // They were silent with leave; from now on they aren't.
      for member in members.indices where table.peer(of: members[member].id) != nil {
        members[member].lastHeard = now
      }
    }
    for peer in jobs[index].run?.table.peers ?? [] {
      effects.append(
        .send(.release(job, isOver: true, term: configuration.term), to: peer.worker))
    }
    effects.append(.store(.drop(job, keepResult: state == .done)))
    if state != .done { jobs[index].isDiscarded = true }
    answer(
      index, .failure(CallFailure(.aborted, "job \(job) was \(state.name): \(reason)")),
      into: &effects)
    letGoDrained(at: now, into: &effects)
  }

  /// Gives back a terminal job's room in the store.
  mutating func drop(
    _ index: Int, _ result: ResultStatus, at now: Duration, into effects: inout [Effect]
  ) {
    guard !jobs[index].isDiscarded else { return }
    jobs[index].isDiscarded = true
    jobs[index].lastResult = ResultStatus(
      result.state, at: wallSeconds(at: now), client: result.client)
    save(index)
    let why = result.client.isEmpty ? result.state.name : "by \(result.client)"
    observe(
      Observation(.jobDiscarded, job: jobs[index].id, detail: why), at: now, into: &effects)
    effects.append(.store(.drop(jobs[index].id, keepResult: false)))
  }

  mutating func expireJobs(at now: Duration, into effects: inout [Effect]) {
    for index in jobs.indices {
      endIfFinished(index, at: now, into: &effects)
      let job = jobs[index]
      if let deadline = job.deadline, !job.state.isTerminal, now >= deadline {
        fail(
          index,
          "its deadline of \(tenths(deadline - job.submittedAt)) s passed while it was"
            + " \(job.state.name)",
          at: now, into: &effects)
      } else if job.state == .uploading, now - job.lastUpload >= Limits.uploadTimeout {
        fail(
          index, "no tensor bytes for \(tenths(now - job.lastUpload)) s", at: now, into: &effects)
      } else if job.state == .done, let ended = job.endedAt, now - ended >= configuration.retention
      {
        drop(index, ResultStatus(.expired), at: now, into: &effects)
      }
    }
    // Old tombstones go first; a job that holds bytes is never forgotten, nor one whose end wasn't told.
    while jobs.count > Limits.jobsKnownMaximum,
      let oldest = jobs.firstIndex(where: { $0.isDiscarded && $0.isEndOnDisk })
    {
      commits.remove(jobs.remove(at: oldest).id)
    }
  }
}

/// Names in the order a person expects: worker-2 before worker-10.
func naturalOrder(_ left: String, _ right: String) -> Bool {
  func split(_ name: String) -> (Substring, Int) {
    let digits = name.reversed().prefix { $0.isASCII && $0.isNumber }.count
    return (name.dropLast(digits), Int(name.suffix(digits)) ?? -1)
  }
  let ((a, m), (b, n)) = (split(left), split(right))
  // Three keys in one order for all: comparing whole names of different stems made circles.
  return (a, m, Substring(left)) < (b, n, Substring(right))
}
