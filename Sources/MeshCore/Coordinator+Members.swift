/// Who is there: hello, heartbeats, loss.
extension Coordinator {
  mutating func receive(
    _ message: WorkerMessage, from worker: WorkerID, at now: Duration, into effects: inout [Effect]
  ) {
    if case .hello(let hello) = message {
      guard hello.worker == worker else { return }
      welcome(hello, at: now, into: &effects)
      return
    }
    // Nothing is believed before hello; a worker that is not known, such as one that was lost and
    // came back, says hello again when it is not answered.
    guard let member = members.firstIndex(where: { $0.id == worker }) else { return }
    members[member].lastHeard = now
    switch message {
    case .hello: break
    case .heartbeat(let beat):
      members[member].residentBytes = beat.residentBytes
      record(beat, from: worker, at: now, into: &effects)
      effects.append(.send(.beat(term: configuration.term), to: worker))
      assignAgain(to: worker, unless: beat.job, into: &effects)
      if let job = beat.job, !beat.isLast, !isActive(job) {
        effects.append(.send(.release(job, term: configuration.term), to: worker))
      }
    case .failed(let job, let vrank, let step, let reason):
      // Only the host of a rank knows how it fares.
      guard let index = activeIndex, jobs[index].id == job, jobs[index].state == .running,
        let run = jobs[index].run, run.plan.vranks.contains(vrank),
        run.peer(of: worker) == run.assignment.hosts[vrank.index].peer
      else { return }
      let needed = run.plan.neededKeyTiles(of: vrank)
      fail(
        index,
        "virtual rank \(vrank) on \(members[member].name) failed at K/V tile \(step)"
          + " of \(needed): \(reason)",
        at: now, into: &effects)
    case .goodbye:
      lose(worker, reason: "it said goodbye", kind: .workerLeft, at: now, into: &effects)
    }
  }

  /// An assignment may be lost on its way: a worker that should have the job and doesn't name it is
  /// told again. One that has it takes no notice.
  private func assignAgain(
    to worker: WorkerID, unless named: JobID?, into effects: inout [Effect]
  ) {
    guard let index = activeIndex, jobs[index].state == .running, jobs[index].id != named,
      let run = jobs[index].run, run.peer(of: worker) != nil
    else { return }
    effects.append(.send(.assign(run.assignment, term: configuration.term), to: worker))
  }

  private func isActive(_ job: JobID) -> Bool {
    activeIndex.map { jobs[$0].id == job } ?? false
  }

  private mutating func welcome(
    _ hello: WorkerMessage.Hello, at now: Duration, into effects: inout [Effect]
  ) {
    if let problem = problem(with: hello) {
      effects.append(.send(.refused(.failedPrecondition, reason: problem), to: hello.worker))
      observe(
        Observation(.workerRefused, worker: hello.name, detail: problem), at: now, into: &effects)
      return
    }
    if let known = members.firstIndex(where: { $0.id == hello.worker }) {
      // A worker with a job shows that it lives by heartbeats: one that goes on saying hello follows
      // nobody, and its job must not wait for it.
      if !hasRole(hello.worker) { members[known].lastHeard = now }
    } else {
      let place = members.firstIndex { hello.worker < $0.id } ?? members.endIndex
      members.insert(Member(hello: hello, lastHeard: now), at: place)
      observe(
        Observation(
          .workerJoined, worker: hello.name,
          detail: "process \(hello.processID), \(hello.threads) threads, \(hello.level)"),
        at: now, into: &effects)
    }
    effects.append(
      .send(
        .welcome(term: configuration.term, storeEndpoint: configuration.storeEndpoint),
        to: hello.worker))
  }

  private func hasRole(_ worker: WorkerID) -> Bool {
    activeIndex.flatMap { jobs[$0].run?.peer(of: worker) } != nil
  }

  private func problem(with hello: WorkerMessage.Hello) -> String? {
    if hello.version != protocolVersion {
      return "protocol version \(hello.version); this coordinator speaks \(protocolVersion)"
    }
    if members.contains(where: { $0.name == hello.name && $0.id != hello.worker }) {
      return "a worker named \(hello.name) is already here; give this one another --name"
    }
    if members.count >= Limits.workersMaximum, !members.contains(where: { $0.id == hello.worker }) {
      return "\(members.count) workers are the limit"
    }
    return nil
  }

  /// Takes progress only from the epoch that is committed, and never backwards.
  private mutating func record(
    _ beat: WorkerMessage.Heartbeat, from worker: WorkerID, at now: Duration,
    into effects: inout [Effect]
  ) {
    guard let index = activeIndex, jobs[index].id == beat.job, var run = jobs[index].run,
      let peer = run.peer(of: worker)
    else { return }
    for progress in beat.progress where run.next.indices.contains(progress.vrank.index) {
      let vrank = progress.vrank
      let host = run.assignment.hosts[vrank.index]
      guard host.peer == peer, host.epoch == progress.epoch,
        (0...run.plan.neededKeyTiles(of: vrank)).contains(progress.next)
      else { continue }
      run.next[vrank.index] = max(run.next[vrank.index], progress.next)
    }
    run.traffic[peer] = beat.traffic
    run.residentBytes[peer] = max(run.residentBytes[peer], beat.residentBytes)
    if beat.isLast { run.hasReported[peer] = true }
    jobs[index].run = run
    endIfFinished(index, at: now, into: &effects)
    if jobs[index].foldedAt == nil, run.folded == run.total { jobs[index].foldedAt = now }
  }

  mutating func expireMembers(at now: Duration, into effects: inout [Effect]) {
    for member in members where now - member.lastHeard >= Limits.heartbeatTimeout {
      lose(
        member.id, reason: "no heartbeat for \(tenths(now - member.lastHeard)) s", at: now,
        into: &effects)
    }
  }

  mutating func lose(
    _ worker: WorkerID, reason: String, kind: Observation.Kind = .workerLost, at now: Duration,
    into effects: inout [Effect]
  ) {
    guard let place = members.firstIndex(where: { $0.id == worker }) else { return }
    let member = members.remove(at: place)
    observe(Observation(kind, worker: member.name, detail: reason), at: now, into: &effects)
    guard let index = activeIndex, let peer = jobs[index].run?.peer(of: worker) else { return }
    guard jobs[index].state == .running else {
      jobs[index].run?.hasReported[peer] = true
      return endIfFinished(index, at: now, into: &effects)
    }
    guard let run = jobs[index].run, let rank = run.slowestRank(ofPeer: peer)
    else { return }
    let step = run.next[rank.index]
    fail(
      index,
      "virtual rank \(rank) on \(member.name) (process \(member.hello.processID)) was lost at K/V"
        + " tile \(step) of \(run.plan.neededKeyTiles(of: rank)): \(reason)",
      at: now, into: &effects)
  }

  func status(of member: Member, at now: Duration) -> WorkerStatus {
    var job: JobID?
    var vranks: [VRank] = []
    if let index = activeIndex, let run = jobs[index].run, let peer = run.peer(of: member.id) {
      job = jobs[index].id
      vranks = run.plan.vranks.filter { run.assignment.hosts[$0.index].peer == peer }
    }
    let hello = member.hello
    return WorkerStatus(
      worker: hello.worker, name: hello.name, processID: hello.processID, numerics: hello.numerics,
      level: hello.level, threads: hello.threads, memoryBytes: hello.memoryBytes,
      residentBytes: member.residentBytes, endpoint: hello.endpoint,
      silentSeconds: (now - member.lastHeard).seconds, job: job, vranks: vranks)
  }
}

/// Seconds with one decimal, for errors.
func tenths(_ duration: Duration) -> String {
  let tenths = Int((duration.seconds * 10).rounded())
  return "\(tenths / 10).\(tenths % 10)"
}
