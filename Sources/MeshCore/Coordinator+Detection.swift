/// Who is dead, who hangs, who is slow; and first of all, whether it is the coordinator itself that
/// can't hear.
extension Coordinator {
  /// A coordinator that was stopped itself must not take everybody else's silence for death: what
  /// its own loop was late by is given to every worker (Lifeguard, arXiv 1707.00788).
  mutating func doubtMyself(at now: Duration, into effects: inout [Effect]) {
    let lag = lastTick.map { now - $0 - Limits.heartbeatInterval } ?? .zero
    loopLag.note(lastTick.map { now - $0 - Limits.tickInterval } ?? .zero, at: now)
    lastTick = now
    guard lag > Limits.loopLagMaximum, defect != .noSelfDoubt else { return }
    for index in members.indices {
      let member = members[index]
      // Half the time is left to everybody: what they said meanwhile is still to be read.
      func later(_ time: Duration, _ timeout: Duration) -> Duration {
        min(now, max(time + lag, now - timeout / 2))
      }
      members[index].lastHeard = later(member.lastHeard, Limits.heartbeatTimeout)
      members[index].stuckSince = member.stuckSince.map { later($0, hangTimeout(of: member)) }
      members[index].gotOnAt = member.gotOnAt.map { later($0, hangTimeout(of: member)) }
    }
    if let index = activeIndex, let run = jobs[index].run {
      for (worker, end) in run.awaited { jobs[index].run?.awaited[worker] = end + lag }
    }
    missing.postpone(by: lag)
    returning.postpone(by: lag)
    observe(
      Observation(.coordinatorLate, detail: "own loop late by \(lag); doubting itself first"),
      at: now, into: &effects)
  }

  mutating func expireMembers(at now: Duration, into effects: inout [Effect]) {
    let timeout = silenceTimeout(at: now)
    for member in members {
      if now - member.lastHeard >= timeout, !isQuiet(member.id) {
        lose(
          member.id, .silent, reason: "no heartbeat for \(tenths(now - member.lastHeard)) s",
          at: now, into: &effects)
      } else if let since = member.challenge?.since, member.lastHeard <= since,
        now - since >= timeout
      {
        lose(
          member.id, .silent, reason: "it did not answer when another of its name came", at: now,
          into: &effects)
      } else if let since = member.stuckSince, now - since >= hangTimeout(of: member) {
        fence(member, since: since, at: now, into: &effects)
      }
    }
  }

  /// When most workers fall silent at once it is more likely that nobody can be heard than that all
  /// are dead: they get twice the time.
  private func silenceTimeout(at now: Duration) -> Duration {
    let expected = members.filter { !isQuiet($0.id) }
    let silent = expected.count { now - $0.lastHeard >= Limits.heartbeatTimeout / 2 }
    let isDoubtful = expected.count > 2 && 2 * silent > expected.count && defect != .noSelfDoubt
    return isDoubtful ? Limits.heartbeatTimeout * 2 : Limits.heartbeatTimeout
  }

  /// Workers of a job without protection send no heartbeats.
  private func isQuiet(_ worker: WorkerID) -> Bool {
    guard let index = activeIndex, let run = jobs[index].run, !run.table.isProtected else {
      return false
    }
    return run.table.peer(of: worker) != nil
  }

  private func hangTimeout(of member: Member) -> Duration {
    // What a worker says is bounded: it may say anything.
    let slow = min(max(0, member.computation.slowTileSeconds), Limits.slowTileMaximum.seconds)
    return max(Limits.hangTimeout, .milliseconds(Int64(slow * 3_000)))
  }

  /// A worker whose compute threads hang answers as if nothing were wrong: it is told to end, and
  /// whatever it still sends is refused by its epoch.
  private mutating func fence(
    _ member: Member, since: Duration, at now: Duration, into effects: inout [Effect]
  ) {
    let reason = "hung: its compute threads got nothing done for \(tenths(now - since)) s"
    fenced.add(member.id, because: reason)
    effects.append(.send(.refused(.aborted, reason: reason), to: member.id))
    lose(member.id, .hung, reason: reason, heardAt: since, at: now, into: &effects)
  }

  /// Follows the compute threads of a worker: work that isn't done and a counter that stands still
  /// are a hang.
  mutating func note(
    _ computation: WorkerMessage.Computation, of place: Int, at now: Duration
  ) {
    let before = members[place].computation
    members[place].computation = computation
    let isStuck =
      computation.isBusy && before.isBusy && computation.itemsDone == before.itemsDone
    // What it did last, it did after the last beat that told of something done.
    if !isStuck {
      members[place].stuckSince = nil
      members[place].gotOnAt = now
    } else if members[place].stuckSince == nil {
      members[place].stuckSince = members[place].gotOnAt ?? now
    }
  }

  /// Compares a worker's time for a tile with that of the others.
  mutating func notePace(
    of place: Int, _ run: JobRun, traffic: Traffic, at now: Duration, into effects: inout [Effect]
  ) {
    let worker = members[place].id
    let tiles = run.plan.vranks.filter { run.host(of: $0) == worker }
      .reduce(0) { $0 + run.ranks[$1.index].next * run.ranks[$1.index].weight }
    guard members[place].pace.note(compute: traffic.computeSeconds, tiles: tiles),
      let mine = members[place].pace.secondsPerTile
    else { return }
    let others = members.indices.filter { $0 != place && run.table.peer(of: members[$0].id) != nil }
      .compactMap { members[$0].pace.secondsPerTile }.sorted()
    guard !others.isEmpty, mine > 2 * others[others.count / 2] else {
      members[place].pace.slowCount = 0
      return
    }
    members[place].pace.slowCount += 1
    guard members[place].pace.slowCount >= 3, !members[place].pace.isReported else { return }
    members[place].pace.isReported = true
    let factor = min(mine / others[others.count / 2], 1_000)
    observe(
      Observation(
        .straggler, job: run.table.job, worker: members[place].name,
        detail: "takes \(tenths(.milliseconds(Int64(factor * 1_000)))) times as long for a tile"),
      at: now, into: &effects)
    if configuration.stragglers == .rehost { unload(worker, at: now, into: &effects) }
  }
}
