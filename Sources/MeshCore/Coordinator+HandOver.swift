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
    for vrank in late {
      run.ranks[vrank.index].askedAt = nil
      run.ranks[vrank.index].stayedAt = now
    }
    jobs[index].run = run
    guard !late.isEmpty else { return }
    let old = run.table
    var hosts = old.hosts
    for vrank in late {
      hosts[vrank.index].duty = .fold
      if let other = anotherHolder(of: hosts[vrank.index], in: old) {
        hosts[vrank.index].holder = other
      }
      observe(
        Observation(
          .handOver, job: old.job, worker: name(ofHost: vrank, in: run), vrank: vrank,
          detail: "it can't be copied in time: it goes on where it is"),
        at: now, into: &effects)
    }
    let table = old.replaced(peers: old.peers, hosts: hosts, revision: mintEpoch())
    jobs[index].run?.table = table
    save(index)
    announce(index, into: &effects)
  }

  private func anotherHolder(of host: Assignment.Host, in table: Assignment) -> Int? {
    table.peers.indices.first { peer in
      peer != host.peer && peer != host.holder && isMember(table.peers[peer].worker)
    }
  }
}
