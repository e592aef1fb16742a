/// Who is there: hello, heartbeats, loss.
extension Coordinator {
  mutating func receive(
    _ message: WorkerMessage, from worker: WorkerID, at now: Duration, into effects: inout [Effect]
  ) {
    if let reason = fenced.reason(for: worker) {
      if case .goodbye = message { return }
      effects.append(.send(.refused(.aborted, reason: reason), to: worker))
      return
    }
    if case .hello(let hello) = message {
      guard hello.worker == worker else { return }
      welcome(hello, at: now, into: &effects)
      return
    }
    // Nothing is believed before hello; a worker that is not known, such as one that was lost and
    // came back, says hello again when it is not answered.
    guard let member = members.firstIndex(where: { $0.id == worker }) else {
      if case .goodbye = message { return }
      effects.append(.send(.introduce(term: configuration.term), to: worker))
      return
    }
    members[member].lastHeard = now
    switch message {
    case .hello: break
    case .heartbeat(let beat):
      members[member].residentBytes = beat.residentBytes
      members[member].held = beat.held
      note(beat.computation, of: member, at: now)
      record(beat, from: worker, at: now, into: &effects)
      noteReach(beat, of: worker, at: now, into: &effects)
      effects.append(.send(.beat(term: configuration.term), to: worker))
      assignAgain(to: worker, unless: beat, into: &effects)
      cordonAgain(worker, unless: beat, into: &effects)
      // It may not have heard that it is drained, or that it may go.
      if let member = members.first(where: { $0.id == worker }), member.isDraining {
        if !member.isLeaving { effects.append(.send(.drain(term: configuration.term), to: worker)) }
        if beat.job == nil, !hasRole(worker) {
          effects.append(.send(.leave(term: configuration.term), to: worker))
        }
      }
      if let job = beat.job, !beat.isLast, !isActive(job) {
        let isOver = index(of: job).map { jobs[$0].state.isTerminal } ?? true
        effects.append(
          .send(.release(job, isOver: isOver, term: configuration.term), to: worker))
      }
    case .failed(let job, let vrank, let step, let reason):
      // Only the host of a rank knows how it fares.
      guard let index = activeIndex, jobs[index].id == job, jobs[index].state == .running,
        let run = jobs[index].run, run.plan.vranks.contains(vrank), run.host(of: vrank) == worker
      else { return }
      let needed = run.plan.steps(of: vrank).count
      fail(
        index,
        "virtual rank \(vrank) on \(members[member].name) failed at K/V tile \(step)"
          + " of \(needed): \(reason)",
        at: now, into: &effects)
    case .alarm(let job, let vrank, let reason):
      if let index = activeIndex, jobs[index].id == job, let run = jobs[index].run,
        run.ranks.indices.contains(vrank.index), run.host(of: vrank) == worker
      {
        jobs[index].run?.ranks[vrank.index].hasDiskFailed = true
      }
      observe(
        Observation(
          .checkpointAlarm, job: job, worker: members[member].name, vrank: vrank, detail: reason),
        at: now, into: &effects)
    case .leaving:
      members[member].isLeaving = true
      startDraining(member, because: "it was told to end", at: now, into: &effects)
    case .goodbye:
      lose(worker, .left, reason: "it said goodbye", at: now, into: &effects)
    }
  }

  /// An assignment may be lost on its way: a worker that doesn't follow the present table is told
  /// again, or that it has no part in it any more.
  private func assignAgain(
    to worker: WorkerID, unless beat: WorkerMessage.Heartbeat, into effects: inout [Effect]
  ) {
    guard let index = activeIndex, jobs[index].state == .running, let run = jobs[index].run,
      commits.isSettled(jobs[index].id)
    else { return }
    if run.table.peer(of: worker) != nil {
      guard jobs[index].id != beat.job || beat.revision < run.table.revision else { return }
      if defect == .forgetUnannounced, run.table.revision.term < configuration.term { return }
      effects.append(.send(.assign(run.table, term: configuration.term), to: worker))
    } else if beat.job == jobs[index].id, !beat.isLast {
      effects.append(
        .send(.release(jobs[index].id, isOver: false, term: configuration.term), to: worker))
    }
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
    if let owner = members.firstIndex(where: { $0.name == hello.name && $0.id != hello.worker }) {
      return contest(hello, with: owner, at: now, into: &effects)
    }
    if let known = members.firstIndex(where: { $0.id == hello.worker }) {
      // A worker with a job shows that it lives by heartbeats: one that goes on saying hello follows
      // nobody, and its job must not wait for it.
      if !hasRole(hello.worker) { members[known].lastHeard = now }
    } else {
      let place = members.firstIndex { hello.worker < $0.id } ?? members.endIndex
      var member = Member(hello: hello, lastHeard: now)
      member.isCordoned = cordons.decision(on: hello.name) ?? hello.isCordoned
      members.insert(member, at: place)
      lost.forget(hello.name)
      returning.forget(hello.name)
      let cordon = member.isCordoned ? ", cordoned" : ""
      observe(
        Observation(
          .workerJoined, worker: hello.name,
          detail:
            "process \(hello.processID), \(counted(hello.threads, "thread")), \(hello.level)\(cordon)"
        ),
        at: now, into: &effects)
      noteGathering(of: hello.worker, at: now)
      noteReturn(of: hello, at: now, into: &effects)
      share(with: hello.worker, at: now, into: &effects)
      resolveDoubts(at: now, into: &effects)
    }
    effects.append(
      .send(
        .welcome(term: configuration.term, storeEndpoint: configuration.storeEndpoint),
        to: hello.worker))
  }

  /// A worker comes under the name of one that is here: most likely it was started again, and the end
  /// of the one before is still to be found. That one is asked whether it lives, and the other waits
  /// until it has answered, or is lost because it doesn't.
  private mutating func contest(
    _ hello: WorkerMessage.Hello, with place: Int, at now: Duration, into effects: inout [Effect]
  ) {
    let owner = members[place]
    let isNew =
      owner.challenge.map { $0.isOver(for: hello.worker, owner.lastHeard, at: now) } ?? true
    let challenge = isNew ? Member.Challenge(by: hello.worker, since: now) : owner.challenge
    members[place].challenge = challenge
    if challenge?.isAnswered(owner.lastHeard) == true {
      let reason =
        "a worker named \(hello.name) is already here, process \(owner.hello.processID), and answers;"
        + " give this one another --name"
      effects.append(.send(.refused(.failedPrecondition, reason: reason), to: hello.worker))
      return observe(
        Observation(.workerRefused, worker: hello.name, detail: reason), at: now, into: &effects)
    }
    effects.append(.send(.introduce(term: configuration.term), to: owner.id))
    effects.append(
      .send(
        .refused(
          .unavailable,
          reason:
            "a worker named \(hello.name) is here already; waits until it is known whether that"
            + " one still lives"),
        to: hello.worker))
  }

  private func hasRole(_ worker: WorkerID) -> Bool {
    activeIndex.flatMap { jobs[$0].run?.table.peer(of: worker) } != nil
  }

  private func problem(with hello: WorkerMessage.Hello) -> String? {
    if hello.version != protocolVersion {
      return "it speaks protocol version \(hello.version) and this coordinator version"
        + " \(protocolVersion); run the same version of attnmesh on both"
    }
    if hello.term > configuration.term {
      return "it has followed a coordinator of term \(hello.term), and this one has term"
        + " \(configuration.term): end this one if the other runs; if it was restored from a backup,"
        + " or its clock was set back, start the worker again to follow it"
    }
    if let numerics, hello.numerics != numerics {
      return "its numerics fingerprint is \(hello.numerics) and that of this mesh is \(numerics);"
        + " workers of one mesh must compute the same bits: give all of them one ATTNMESH_CPU"
    }
    let run = activeIndex.flatMap { jobs[$0].run }
    let known = run?.table.peers.first { $0.worker == hello.worker }
    if let known, known.publicKey != hello.publicKey {
      return "worker \(hello.worker) has another key in the job that runs"
    }
    if members.count >= Limits.workersMaximum, !members.contains(where: { $0.id == hello.worker }) {
      return "\(members.count) workers are the limit"
    }
    return nil
  }

  /// The fingerprint that whoever joins must have: that of the job which runs, or of those who are
  /// here; nil while there are neither.
  private var numerics: String? {
    let running = activeIndex.flatMap { jobs[$0].run?.participants.first?.identity.numerics }
    return running ?? members.first?.hello.numerics
  }

  /// Takes progress only from the epoch that is committed, and never backwards.
  private mutating func record(
    _ beat: WorkerMessage.Heartbeat, from worker: WorkerID, at now: Duration,
    into effects: inout [Effect]
  ) {
    guard let index = activeIndex, jobs[index].id == beat.job, var run = jobs[index].run,
      let place = run.participant(worker)
    else { return }
    for progress in beat.progress where run.ranks.indices.contains(progress.vrank.index) {
      record(progress, from: worker, in: &run, at: now, into: &effects)
    }
    run.participants[place].traffic = beat.traffic
    run.participants[place].residentBytes = max(
      run.participants[place].residentBytes, beat.residentBytes)
    if beat.isLast { run.participants[place].hasReported = true }
    let isStoryLonger = jobs[index].run?.recoveries != run.recoveries
    jobs[index].run = run
    // Or a coordinator that is started again would tell it a second time, with its own times.
    if isStoryLonger { save(index) }
    endIfFinished(index, at: now, into: &effects)
    if jobs[index].foldedAt == nil, run.folded == run.total { jobs[index].foldedAt = now }
    guard jobs[index].state == .running else { return }
    if let member = members.firstIndex(where: { $0.id == worker }) {
      notePace(of: member, run, traffic: beat.traffic, at: now, into: &effects)
    }
    takeHandedOver(beat, from: worker, of: index, at: now, into: &effects)
  }

  /// Progress counts from the host of a rank only, under its epoch.
  private mutating func record(
    _ progress: WorkerMessage.Progress, from worker: WorkerID, in run: inout JobRun,
    at now: Duration, into effects: inout [Effect]
  ) {
    let vrank = progress.vrank
    var rank = run.ranks[vrank.index]
    let isHost =
      run.host(of: vrank) == worker && run.table.hosts[vrank.index].epoch == progress.epoch
    guard isHost || defect == .skipEpochCheckAtProgress else {
      if run.table.hosts[vrank.index].epoch > progress.epoch {
        observe(
          Observation(.staleRefused, job: run.table.job, vrank: vrank, detail: "progress"),
          at: now, into: &effects)
      }
      return
    }
    guard (0...rank.needed).contains(progress.next) else { return }
    guard !rank.isFinal else {
      // Its result was faster than the word of where it went on.
      if let found = rank.foundAt, let restored = progress.restored {
        tellStory(progress, restored, since: found, of: &rank, in: &run, at: now, into: &effects)
        run.ranks[vrank.index] = rank
      }
      return
    }
    rank.heardUnder = progress.epoch
    let isSought = progress.restored == nil && !run.table.hosts[vrank.index].isFresh
    // While its state is looked for, what it had is what is told.
    if !isSought || rank.needed == 0 {
      guard progress.epoch != rank.toldUnder || progress.next >= rank.next else { return }
      rank.next = progress.next
      rank.toldUnder = progress.epoch
    }
    rank.copied = min(max(0, progress.copied), rank.needed)
    rank.durable = min(max(0, progress.durable), rank.needed)
    if rank.durable > 0 { rank.hasDiskFailed = false }
    rank.forgetStrikes()
    if let found = rank.foundAt, let restored = progress.restored {
      tellStory(progress, restored, since: found, of: &rank, in: &run, at: now, into: &effects)
    }
    run.ranks[vrank.index] = rank
  }

  /// How a rank's recovery goes on: where its state was found, and when it is where it was.
  private mutating func tellStory(
    _ progress: WorkerMessage.Progress, _ restored: WorkerMessage.Restored, since found: Duration,
    of rank: inout JobRun.RankRecord, in run: inout JobRun, at now: Duration,
    into effects: inout [Effect]
  ) {
    guard
      let place = run.recoveries.lastIndex(where: {
        $0.vrank == progress.vrank && $0.epoch == progress.epoch
      })
    else { return }
    if run.recoveries[place].restored == nil {
      run.recoveries[place].restored = restored
      run.recoveries[place].restoreSeconds = (now - found).seconds
      observe(
        Observation(
          .restored, job: run.table.job, worker: run.recoveries[place].host,
          vrank: progress.vrank,
          detail: "from \(restored.tier.name), at K/V tile \(restored.next);"
            + " folded again: \(counted(run.recoveries[place].refolded ?? 0, "tile"))"),
        at: now, into: &effects)
    }
    if progress.next >= run.recoveries[place].lostAt {
      run.recoveries[place].caughtUpSeconds = (now - found).seconds
      rank.foundAt = nil
    }
  }

  func status(of member: Member, at now: Duration) -> WorkerStatus {
    var job: JobID?
    var vranks: [VRank] = []
    if let index = activeIndex, let run = jobs[index].run, run.table.peer(of: member.id) != nil {
      job = jobs[index].id
      vranks = run.plan.vranks.filter { run.host(of: $0) == member.id }
    }
    let hello = member.hello
    return WorkerStatus(
      worker: hello.worker, name: hello.name, processID: hello.processID, numerics: hello.numerics,
      level: hello.level, threads: hello.threads, memoryBytes: hello.memoryBytes,
      residentBytes: member.residentBytes, endpoint: hello.endpoint,
      silentSeconds: (now - member.lastHeard).seconds, job: job, vranks: vranks,
      standing: standing(of: member))
  }
}

extension Coordinator {
  func standing(of member: Member) -> WorkerStanding {
    if member.isDraining { return .draining }
    if member.isCordoned { return .cordoned }
    if member.hello.isSpare { return .spare }
    return isTooSmall(member.id) ? .tooSmall : .active
  }
}

/// Seconds with one decimal, for errors.
func tenths(_ duration: Duration) -> String {
  let tenths = Int((duration.seconds * 10).rounded())
  return "\(tenths / 10).\(tenths % 10)"
}
