internal import MeshCore

/// What comes out of the coordinator's core, and what it makes of what comes in.
extension Ledger {
  func note(_ effect: Coordinator.Effect, in simulation: Simulation) {
    switch effect {
    case .send(.assign(let table, _), let worker):
      guard tables[table.revision] == table else {
        return fail(
          .announcedAfterCommit, "a table of revision \(table.revision) was announced uncommitted")
      }
      guard table.peer(of: worker) != nil else { return }
      for (rank, host) in table.hosts.enumerated() {
        if let holder = host.holder, holder == host.peer {
          fail(.copiesApart, "rank \(rank) is copied to its own host")
        }
      }
    case .store(.acknowledge(_, let vrank, _)):
      if !finals.indices.contains(vrank.index) || !finals[vrank.index] {
        fail(.announcedAfterCommit, "rank \(vrank) was acknowledged before it was final on disk")
      }
    case .store(.drop(_, _)):
      if committedState?.isTerminal != true {
        fail(.sources, "inputs are dropped before the end of the job is on disk")
      }
    default: break
    }
  }

  /// No false fence: a worker that was there all the time isn't lost by silence.
  func note(_ observation: Observation, in simulation: Simulation) {
    guard observation.kind == .workerLost, let name = observation.worker else { return }
    let isSilence = observation.detail.hasPrefix("no heartbeat")
    let isLate = observation.detail.hasPrefix("it did not come back")
    guard isSilence || isLate else { return }
    let window = isLate ? 3_300 * Time.millisecond : 2_200 * Time.millisecond
    let alive = simulation.workers.last { $0.name == name && $0.isAlive }
    guard let alive, !alive.isPaused, now - alive.startedAt > window,
      // An earlier process of the name may be the one that is meant.
      !simulation.workers.contains(where: {
        $0.name == name && $0.index != alive.index && now - $0.endedAt < 4 * window
      }),
      !simulation.conditions.isBlocked(alive.node, .coordinator),
      !simulation.conditions.isBlocked(.coordinator, alive.node),
      now - (simulation.conditions.disturbedAt[alive.node.number] ?? -window) > window
    else { return }
    fail(.falseFence, "\(name) was lost (\(observation.detail)) and was there all the time")
  }

  // MARK: Progress

  /// I6: what was told of ranks isn't taken back.
  func told(_ status: JobStatus, term: UInt64) {
    if let breach = toldRanks.note(status, term: term) { fail(.progress, breach) }
  }

  /// What the coordinator knows of ranks before it hears of them from a host of a stale epoch.
  struct Probe {
    let job: JobID
    let ranks: [VRank]
    let before: [RankStatus]
  }

  func probe(
    _ event: Coordinator.Event, _ coordinator: CoordinatorProcess, at now: Duration
  ) -> Probe? {
    guard case .message(.heartbeat(let beat), _) = event, let job = beat.job, let latest,
      latest.job == job
    else { return nil }
    let stale = beat.progress.filter {
      latest.hosts.indices.contains($0.vrank.index)
        && $0.epoch < latest.hosts[$0.vrank.index].epoch
    }
    guard !stale.isEmpty, let before = status(of: job, coordinator, at: now) else { return nil }
    return Probe(job: job, ranks: stale.map(\.vrank), before: before.ranks)
  }

  /// I3: progress of a stale epoch changes nothing.
  func check(_ probe: Probe, _ coordinator: CoordinatorProcess, at now: Duration) {
    guard let after = status(of: probe.job, coordinator, at: now),
      after.ranks.count == probe.before.count
    else { return }
    for vrank in probe.ranks {
      let (old, new) = (probe.before[vrank.index], after.ranks[vrank.index])
      guard old.epoch == new.epoch else { continue }
      if old.next != new.next || old.copied != new.copied || old.durable != new.durable {
        fail(.staleEpoch, "the coordinator took progress of rank \(vrank) from a stale host")
      }
    }
  }

  /// Asked of a copy, so that asking changes nothing.
  private func status(
    of job: JobID, _ coordinator: CoordinatorProcess, at now: Duration
  ) -> JobStatus? {
    var copy = coordinator.core
    let request = CallRequest.status(job)
    let id = RequestID(high: 9, low: 9)
    let header = CallHeader(
      request: id, role: .viewer, client: "ledger", method: request.method.rawValue,
      remaining: .seconds(1))
    let ticket = Coordinator.Ticket(caller: 9, request: id)
    for effect in copy.handle(.call(header, request, ticket), at: now) {
      if case .reply(.success(.status(let status)), _) = effect { return status }
    }
    return nil
  }
}
