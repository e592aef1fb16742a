/// Workers that are gone: how that is known, what it proves, and what becomes of their ranks.
extension Coordinator {
  /// How it is known that a worker is gone.
  enum Loss {
    /// Its connection broke. Its process has ended, or will be back.
    case disconnected
    /// The same, and nobody listens at its address any more.
    case refused
    /// It says nothing any more.
    case silent
    /// Its process has ended, says who watches it.
    case ended
    /// Its compute threads hang, and it was told to end.
    case hung
    /// It isn't admitted any more.
    case expelled
    /// It didn't come back in time.
    case overdue
    /// It said goodbye.
    case left

    /// Whether the job may have done it: the process ended or hung, or may turn out to have. Silence
    /// counts once somebody has seen that it was the process's end.
    var isStrike: Bool { mayReturn || self == .ended || self == .hung }

    /// Whether only its connection is known to have ended.
    var isInDoubt: Bool { self == .disconnected || self == .refused }

    /// Whether the process may live, and be heard again.
    var mayReturn: Bool { isInDoubt || self == .silent }

    /// Whether it is worth waiting for it where nobody else can go on.
    var isLikelyToReturn: Bool { self == .disconnected || self == .silent }
  }

  mutating func lose(
    _ worker: WorkerID, _ loss: Loss, reason: String, heardAt: Duration? = nil, at now: Duration,
    into effects: inout [Effect]
  ) {
    guard let place = members.firstIndex(where: { $0.id == worker }) else { return }
    if loss != .left { noteLost(status(of: members[place], at: now), reason: reason, at: now) }
    let member = members.remove(at: place)
    if loss.mayReturn {
      missing.add(worker, name: member.name, until: now + Limits.returnTimeout)
    }
    let kind: Observation.Kind = loss == .left ? .workerLeft : .workerLost
    observe(Observation(kind, worker: member.name, detail: reason), at: now, into: &effects)
    guard let index = activeIndex, let run = jobs[index].run,
      let participant = run.participant(worker)
    else { return }
    guard jobs[index].state == .running else {
      jobs[index].run?.participants[participant].hasReported = true
      return endIfFinished(index, at: now, into: &effects)
    }
    guard run.table.peer(of: worker) != nil else { return }
    let departure = Departure(
      worker: member.hello.participant, joinedAt: member.joinedAt, cause: reason,
      detectionSeconds: (now - (heardAt ?? member.lastHeard)).seconds)
    recover(index, from: departure, loss, at: now, into: &effects)
  }

  /// The process of a worker has ended, says who watches it: the connection may have broken before.
  mutating func processEnded(
    _ name: String, reason: String, at now: Duration, into effects: inout [Effect]
  ) {
    if let member = members.first(where: { $0.name == name }) {
      lose(member.id, .ended, reason: reason, at: now, into: &effects)
    } else {
      let worker = missing.settle(name)
      if let index = activeIndex {
        jobs[index].run?.proveStrikes(at: name)
        if let worker, jobs[index].run?.awaited.removeValue(forKey: worker) != nil {
          giveUp([worker], of: index, because: reason, at: now, into: &effects)
        }
      }
    }
    resolveDoubts(at: now, into: &effects)
  }

  /// Gives the ranks of a lost worker to others, unless the job has no protection or eats workers.
  mutating func recover(
    _ index: Int, from departure: Departure, _ loss: Loss, at now: Duration,
    into effects: inout [Effect]
  ) {
    guard let run = jobs[index].run else { return }
    let worker = departure.worker.worker
    let ranks = run.openRanks(of: worker)
    if let first = ranks.first, !run.table.isProtected {
      // Nobody else can go on with them; it may fold on all the while.
      if loss.isLikelyToReturn {
        return leaveRanks(of: departure, for: run.rejoinTimeout, index, at: now)
      }
      let rank = run.ranks[first.index]
      return fail(
        index,
        "virtual rank \(first) on \(departure.worker.name) (process"
          + " \(departure.worker.processID)) was lost at K/V tile \(rank.next) of"
          + " \(rank.needed), and the job runs without protection: \(departure.cause)",
        at: now, into: &effects)
    }
    if loss.isStrike {
      strike(ranks, of: index, departure, isSilence: loss == .silent, at: now)
      if failIfPoisonous(index, at: now, into: &effects) { return }
    }
    // With nobody left its ranks are best left as they are: when the network is back, so is everybody,
    // with all that was folded.
    if loss.isLikelyToReturn, !ranks.isEmpty, members.isEmpty {
      return leaveRanks(of: departure, for: Limits.heartbeatTimeout, index, at: now)
    }
    rehost(index, lost: departure, at: now, into: &effects)
  }

  /// Leaves the ranks of a worker where they are for a while.
  private mutating func leaveRanks(
    of departure: Departure, for time: Duration, _ index: Int, at now: Duration
  ) {
    jobs[index].run?.awaited[departure.worker.worker] = now + time
    jobs[index].wait(
      "waits for workers: \(departure.worker.name) may come back (\(departure.cause))")
  }

  private func hasOpenMember(for run: JobRun) -> Bool {
    members.contains { $0.isOpen && $0.hello.numerics == run.numerics }
  }

  /// Workers that were awaited won't come: others get their ranks.
  mutating func giveUp(
    _ workers: [WorkerID], of index: Int, because reason: String, at now: Duration,
    into effects: inout [Effect]
  ) {
    guard let run = jobs[index].run, jobs[index].state == .running else { return }
    if !run.table.isProtected {
      for worker in workers where !run.openRanks(of: worker).isEmpty {
        guard let place = run.participant(worker) else { continue }
        let departure = Departure(
          worker: run.participants[place].identity, joinedAt: .zero, cause: reason,
          detectionSeconds: run.rejoinTimeout.seconds)
        return recover(index, from: departure, .overdue, at: now, into: &effects)
      }
    }
    rehost(index, at: now, into: &effects)
  }

  /// Counts losses at ranks that don't get on: a job whose inputs kill workers must not eat them all,
  /// and one that just lives through many failures must not end. Workers that die at the same moment
  /// count as one: those that a rank was given to after the first one never had it.
  private mutating func strike(
    _ ranks: [VRank], of index: Int, _ departure: Departure, isSilence: Bool, at now: Duration
  ) {
    for vrank in ranks {
      guard let run = jobs[index].run else { continue }
      var rank = run.ranks[vrank.index]
      let isTaken = rank.heardUnder == run.table.hosts[vrank.index].epoch
      if !isTaken, let last = rank.struckAt, departure.joinedAt < last,
        now - last < Limits.strikeInterval
      {
        continue
      }
      rank.struckAt = now
      let point = max(rank.copied, rank.durable)
      let before = point > rank.strikePoint ? [] : rank.struck
      let worker = departure.worker
      let strike = JobRun.Strike(
        worker: worker.worker, name: worker.name, cause: departure.cause, isSilence: isSilence)
      rank.struck =
        before.filter { $0.worker != worker.worker }.suffix(Limits.strikesKeptMaximum - 1)
        + [strike]
      rank.strikePoint = max(point, rank.strikePoint)
      jobs[index].run?.ranks[vrank.index] = rank
    }
  }

  /// Whether a rank has used up its workers for certain: then the job ends. One whose connection broke
  /// doesn't count before it is known not to come back.
  private mutating func failIfPoisonous(
    _ index: Int, at now: Duration, into effects: inout [Effect]
  ) -> Bool {
    guard let run = jobs[index].run else { return false }
    for vrank in run.plan.vranks where run.ranks[vrank.index].isHeld {
      let rank = run.ranks[vrank.index]
      let proven = rank.strikes.filter { !missing.isInDoubt($0.worker) }
      guard !rank.isFinal, proven.count >= Limits.strikesMaximum, let last = proven.last else {
        continue
      }
      fail(
        index,
        "\(Limits.strikesMaximum) workers in a row were lost at virtual rank \(vrank), which"
          + " doesn't get beyond K/V tile \(rank.next) of \(rank.needed); the last one was"
          + " \(last.name): \(last.cause)",
        at: now, into: &effects)
      return true
    }
    return false
  }

  // MARK: Doubts

  /// A worker said hello: if it was missed, nothing has killed it; and whoever had its name before has
  /// ended.
  mutating func noteReturn(
    of hello: WorkerMessage.Hello, at now: Duration, into effects: inout [Effect]
  ) {
    let wasMissed = missing.contains(hello.worker)
    missing.welcome(hello.worker)
    let ended = missing.settle(hello.name)
    guard let index = activeIndex, let run = jobs[index].run else { return }
    jobs[index].run?.takeBackStrikes(at: hello.worker)
    jobs[index].run?.proveStrikes(at: hello.name)
    if jobs[index].run?.awaited.removeValue(forKey: hello.worker) != nil {
      if jobs[index].state == .running { jobs[index].wait("") }
    } else if !wasMissed, run.table.isProtected {
      // Somebody new can take what was only left for want of others.
      jobs[index].run?.awaited = run.awaited.filter { !missing.contains($0.key) }
    }
    if let ended, jobs[index].run?.awaited.removeValue(forKey: ended) != nil {
      giveUp([ended], of: index, because: "another process has its name", at: now, into: &effects)
    }
    if jobs[index].state == .running { _ = failIfPoisonous(index, at: now, into: &effects) }
  }

  mutating func expireMissing(at now: Duration, into effects: inout [Effect]) {
    guard missing.expire(at: now, isSupervised: configuration.isClosed) else { return }
    resolveDoubts(at: now, into: &effects)
  }

  /// It is known of a worker whether it has ended: that may end the job, or let ranks go on that were
  /// held back.
  mutating func resolveDoubts(at now: Duration, into effects: inout [Effect]) {
    guard let index = activeIndex, jobs[index].state == .running,
      !failIfPoisonous(index, at: now, into: &effects), let run = jobs[index].run
    else { return }
    let isFree = run.plan.vranks.contains { vrank in
      let rank = run.ranks[vrank.index]
      return run.host(of: vrank) == nil && !rank.isFinal && !rank.isHeld
    }
    let isHopeless = configuration.isClosed && run.awaited.isEmpty && missing.isEmpty
    guard isFree, hasOpenMember(for: run) || isHopeless else { return }
    rehost(index, at: now, into: &effects)
  }
}
