/// A hand-over that doesn't come to its end: the copy can't be brought to where it should be kept.
extension Coordinator {
  /// Ranks that were asked to stop for a hand-over and still aren't copied fold on where they are, and
  /// keep their copies elsewhere if there is another memory: nobody must wait for a holder that its
  /// peers can't reach.
  mutating func expireHandOvers(at now: Duration, into effects: inout [Effect]) {
    guard let index = activeIndex, jobs[index].state == .running, var run = jobs[index].run else {
      return
    }
    var late: [VRank] = []
    for vrank in run.plan.vranks where run.table.hosts[vrank.index].duty == .handOver {
      // Also those that an earlier coordinator asked.
      let askedAt = run.ranks[vrank.index].askedAt ?? now
      run.ranks[vrank.index].askedAt = askedAt
      let bytes = Double(run.plan.stateBytes(of: vrank))
      let patience =
        Limits.handOverTimeout + .seconds(bytes / Double(Limits.slotRateMinimum))
      if now - askedAt >= patience { late.append(vrank) }
    }
    jobs[index].run = run
    guard !late.isEmpty else { return }
    stay(late, of: &run, because: "it can't be copied in time", at: now, into: &effects)
    var hosts = run.table.hosts
    for vrank in late {
      guard let other = anotherHolder(of: hosts[vrank.index], in: run.table) else { continue }
      if run.ranks[vrank.index].copied > 0 {
        hosts[vrank.index].keepAsSource(hosts[vrank.index].holder)
      }
      hosts[vrank.index].holder = other
    }
    run.table = run.table.replaced(peers: run.table.peers, hosts: hosts, revision: mintEpoch())
    jobs[index].run = run
    save(index)
    announce(index, into: &effects)
  }

  /// Ranks that were asked to stop go on where they are, and aren't asked again for a while. The table
  /// with them is the caller's to announce.
  mutating func stay(
    _ ranks: [VRank], of run: inout JobRun, because reason: String, at now: Duration,
    into effects: inout [Effect]
  ) {
    var hosts = run.table.hosts
    for vrank in ranks {
      hosts[vrank.index].duty = .fold
      run.ranks[vrank.index].askedAt = nil
      run.ranks[vrank.index].stayedAt = now
      observe(
        Observation(
          .handOver, job: run.table.job, worker: name(ofHost: vrank, in: run), vrank: vrank,
          detail: "\(reason): it goes on where it is"),
        at: now, into: &effects)
    }
    run.table = run.table.replaced(
      peers: run.table.peers, hosts: hosts, revision: run.table.revision)
  }

  /// The next one behind the holder in the ring, so that all of them are tried in turn; one that is to
  /// go itself only if there is no other.
  private func anotherHolder(of host: Assignment.Host, in table: Assignment) -> Int? {
    let count = table.peers.count
    let others = (1...count).map { ((host.holder ?? count - 1) + $0) % count }
      .filter { $0 != host.peer && $0 != host.holder && isMember(table.peers[$0].worker) }
    func isDraining(_ peer: Int) -> Bool {
      members.contains { $0.id == table.peers[peer].worker && $0.isDraining }
    }
    return others.first { !isDraining($0) } ?? others.first
  }
}
