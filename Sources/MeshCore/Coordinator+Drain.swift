/// Ranks that move although nobody was lost: from a worker that goes, to one that came, away from one
/// that is slow. Their hosts stop at a tile boundary and copy what they have; no tile is folded twice.
extension Coordinator {
  mutating func drain(
    _ name: String, by client: String, ticket: Ticket, at now: Duration,
    into effects: inout [Effect]
  ) {
    guard let place = members.firstIndex(where: { $0.name == name }) else {
      return reply(.failure(unknownWorker(name)), to: ticket, into: &effects)
    }
    if !members[place].isLeaving {
      effects.append(.send(.drain(term: configuration.term), to: members[place].id))
    }
    startDraining(place, because: "asked by \(client)", at: now, into: &effects)
    reply(.success(.workers(workerList(at: now))), to: ticket, into: &effects)
  }

  mutating func startDraining(
    _ place: Int, because reason: String, at now: Duration, into effects: inout [Effect]
  ) {
    let member = members[place]
    if !member.isDraining {
      members[place].isDraining = true
      observe(
        Observation(.workerDraining, worker: member.name, detail: reason), at: now, into: &effects)
    }
    relieveDraining(at: now, into: &effects)
    letGoDrained(at: now, into: &effects)
  }

  /// Asks workers that are to go for their ranks, as soon as there is somebody to take them.
  mutating func relieveDraining(at now: Duration, into effects: inout [Effect]) {
    guard let index = activeIndex, jobs[index].state == .running, let run = jobs[index].run,
      run.table.isProtected,
      members.contains(where: { $0.isOpen && $0.hello.numerics == run.numerics })
    else { return }
    let ranks = members.filter(\.isDraining).flatMap { run.openRanks(of: $0.id) }
    relieve(ranks, of: index, at: now, into: &effects)
  }

  /// Lets workers go that host nothing any more; said again and again, for a message may be lost.
  mutating func letGoDrained(at now: Duration, into effects: inout [Effect]) {
    for member in members where member.isDraining {
      if let index = activeIndex, jobs[index].state == .running, let run = jobs[index].run,
        run.table.peer(of: member.id) != nil
      {
        guard run.openRanks(of: member.id).isEmpty, !run.isWholeFinal else { continue }
        if keepsOnlyCopies(member, of: index, at: now, into: &effects) { continue }
        // What is left is its shard: others load it from the store.
        rehost(index, moving: served(by: member.id, run), at: now, into: &effects)
        guard jobs[index].run?.table.peer(of: member.id) == nil else { continue }
      }
      effects.append(.send(.leave(term: configuration.term), to: member.id))
    }
  }

  /// Copies leave a worker before it does: others keep those of its peers from now on, and it stays
  /// until they have them.
  private mutating func keepsOnlyCopies(
    _ member: Member, of index: Int, at now: Duration, into effects: inout [Effect]
  ) -> Bool {
    func open(_ run: JobRun) -> [(vrank: VRank, holder: WorkerID?)] {
      run.plan.vranks.compactMap { vrank in
        guard !run.ranks[vrank.index].isFinal, let host = run.host(of: vrank), isMember(host),
          host != member.id
        else { return nil }
        return (vrank, run.table.worker(run.table.hosts[vrank.index].holder))
      }
    }
    guard let before = jobs[index].run else { return false }
    if open(before).contains(where: { $0.holder == member.id }) {
      rehost(index, at: now, into: &effects)
    }
    guard let run = jobs[index].run else { return false }
    return open(run).contains { vrank, holder in
      guard let holder, holder != member.id, isMember(holder) else { return false }
      return member.held.contains { $0.vrank == vrank }
        && !holds(holder, vrank, under: run.table.hosts[vrank.index].epoch)
    }
  }

  private func served(by worker: WorkerID, _ run: JobRun) -> [VRank] {
    run.plan.vranks.filter { run.host(of: $0) == worker }
  }

  /// Asks the hosts of ranks to stop and to copy them.
  private mutating func relieve(
    _ ranks: [VRank], of index: Int, at now: Duration, into effects: inout [Effect]
  ) {
    guard let run = jobs[index].run else { return }
    let asked = ranks.filter { vrank in
      let stayedAt = run.ranks[vrank.index].stayedAt
      return run.table.hosts[vrank.index].duty == .fold
        && stayedAt.map { now - $0 >= Limits.handOverInterval } ?? true
    }
    guard !asked.isEmpty else { return }
    var hosts = run.table.hosts
    for vrank in asked {
      hosts[vrank.index].duty = .handOver
      jobs[index].run?.ranks[vrank.index].askedAt = now
      observe(
        Observation(
          .handOver, job: run.table.job, worker: name(ofHost: vrank, in: run), vrank: vrank,
          detail: "asked to stop at a tile boundary"),
        at: now, into: &effects)
    }
    let old = run.table
    let table = old.replaced(peers: old.peers, hosts: hosts, revision: mintEpoch())
    jobs[index].run?.table = table
    save(index)
    announce(index, into: &effects)
  }

  /// Takes up what hosts have stopped and copied.
  mutating func takeHandedOver(
    _ beat: WorkerMessage.Heartbeat, from worker: WorkerID, of index: Int, at now: Duration,
    into effects: inout [Effect]
  ) {
    guard let run = jobs[index].run else { return }
    let moving = beat.progress.filter { progress in
      guard run.table.hosts.indices.contains(progress.vrank.index) else { return false }
      let host = run.table.hosts[progress.vrank.index]
      return progress.isHandedOver && host.duty == .handOver && host.epoch == progress.epoch
        && beat.revision == run.table.revision && run.host(of: progress.vrank) == worker
    }
    guard !moving.isEmpty else { return }
    rehost(index, moving: moving.map(\.vrank), at: now, into: &effects)
    letGoDrained(at: now, into: &effects)
  }

  /// A worker came while a job runs: ranks without a host are its, and a fair share of the others.
  mutating func share(with worker: WorkerID, at now: Duration, into effects: inout [Effect]) {
    guard let index = activeIndex, jobs[index].run?.table.peer(of: worker) == nil else { return }
    employ(worker, at: now, into: &effects)
  }

  /// The same for one that may have ranks already, and may be given more from now on.
  mutating func employ(_ worker: WorkerID, at now: Duration, into effects: inout [Effect]) {
    guard let index = activeIndex, jobs[index].state == .running, let run = jobs[index].run,
      let member = members.first(where: { $0.id == worker }), run.table.isProtected,
      member.hello.numerics == run.numerics, member.isOpen
    else { return }
    let isVacant = run.plan.vranks.contains { vrank in
      run.host(of: vrank).map { !isPresent($0, in: run) } ?? true
    }
    let isRelief = members.contains { $0.isDraining && !run.openRanks(of: $0.id).isEmpty }
    guard isVacant || isRelief || !member.hello.isSpare else { return }
    rehost(index, at: now, into: &effects)
    relieveDraining(at: now, into: &effects)
    balance(index, at: now, into: &effects)
  }

  /// Asks the busiest workers for ranks that the idlest should have.
  mutating func balance(_ index: Int, at now: Duration, into effects: inout [Effect]) {
    guard let run = jobs[index].run else { return }
    let able = members.filter { member in
      member.isOpen && !member.hello.isSpare && run.table.peer(of: member.id) != nil
    }
    // Whoever has too little memory would be given nothing, and its rank some other place.
    let places = withMemory(
      able.map { $0.place(load: run.load(of: $0.id)) }, for: run, sharedBy: able.count)
    let loads = withRoom(places, for: run).map { place in
      var load = Placement.Load(worker: place.worker, ranks: [], most: place.most)
      for vrank in run.openRanks(of: place.worker) {
        let rank = run.ranks[vrank.index]
        if isWorthMoving(vrank, run), rank.isSettled(at: now) {
          load.ranks.append((vrank, rank.load))
        } else {
          load.fixed += rank.load
          load.fixedCount += 1
        }
      }
      return load
    }
    relieve(Placement.moves(loads: loads), of: index, at: now, into: &effects)
  }

  /// Ranks end at different times, hand-overs fail, hosts are lost while others join: now and then it is
  /// looked whether somebody idles who could take a rank of one that has several.
  mutating func employIdle(at now: Duration, into effects: inout [Effect]) {
    guard let index = activeIndex, jobs[index].state == .running, let run = jobs[index].run,
      run.table.isProtected, now - run.balancedAt >= Limits.balanceInterval,
      !run.plan.vranks.contains(where: {
        run.table.hosts[$0.index].duty == .handOver && !run.ranks[$0.index].isFinal
      })
    else { return }
    jobs[index].run?.balancedAt = now
    // Who can't connect to others may not get at the copy of what it is given.
    let able = members.filter {
      $0.isOpen && !$0.hello.isSpare && $0.hello.numerics == run.numerics && $0.unreachable.isEmpty
    }
    let places = withMemory(
      able.map { $0.place(load: run.load(of: $0.id)) }, for: run, sharedBy: able.count)
    guard let idle = places.first(where: { run.openRanks(of: $0.worker).isEmpty }),
      places.contains(where: { run.openRanks(of: $0.worker).count > 1 })
    else { return }
    if run.table.peer(of: idle.worker) == nil {
      employ(idle.worker, at: now, into: &effects)
    } else {
      balance(index, at: now, into: &effects)
    }
  }

  /// Gives half of what a slow worker has left to others.
  mutating func unload(_ worker: WorkerID, at now: Duration, into effects: inout [Effect]) {
    guard let index = activeIndex, let run = jobs[index].run, run.table.isProtected else { return }
    let ranks = run.openRanks(of: worker).filter { isWorthMoving($0, run) }
    relieve(Array(ranks.prefix((ranks.count + 1) / 2)), of: index, at: now, into: &effects)
  }

  /// A rank that is nearly done is better left where it is.
  private func isWorthMoving(_ vrank: VRank, _ run: JobRun) -> Bool {
    let rank = run.ranks[vrank.index]
    return rank.needed - rank.next > rank.needed / Limits.copiesOfARankMinimum
  }
}
