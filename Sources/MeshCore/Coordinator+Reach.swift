/// Workers that are heard, and that others can't connect to: mostly their `--advertise` is wrong. The
/// job goes on without them as sources and holders; somebody has to know.
extension Coordinator {
  /// What a worker tells of its peers.
  mutating func noteReach(
    _ beat: WorkerMessage.Heartbeat, of worker: WorkerID, at now: Duration,
    into effects: inout [Effect]
  ) {
    guard let place = members.firstIndex(where: { $0.id == worker }) else { return }
    let before = members[place].unreachable
    let after = beat.unreachable.filter { $0 != worker && isMember($0) }
    guard before != after else { return }
    members[place].unreachable = after
    let name = members[place].name
    for peer in after where !before.contains(peer) {
      tellReach(of: peer, false, by: name, at: now, into: &effects)
    }
    // After a job nobody tries any more: that says nothing.
    guard let index = activeIndex, jobs[index].id == beat.job, jobs[index].state == .running,
      let run = jobs[index].run
    else { return }
    for peer in before where !after.contains(peer) {
      tellReach(of: peer, true, by: name, at: now, into: &effects)
    }
    if hasHolderToChoose(worker, in: run) { rehost(index, at: now, into: &effects) }
  }

  /// Whether this coordinator itself can connect to a worker.
  mutating func noteReach(
    of worker: WorkerID, _ isReachable: Bool, at now: Duration, into effects: inout [Effect]
  ) {
    guard let place = members.firstIndex(where: { $0.id == worker }),
      members[place].isUnreachable == isReachable
    else { return }
    members[place].isUnreachable = !isReachable
    tellReach(of: worker, isReachable, by: "the coordinator", at: now, into: &effects)
  }

  /// Whether a rank's copies go to a worker that its host can't reach, or to nobody.
  private func hasHolderToChoose(_ worker: WorkerID, in run: JobRun) -> Bool {
    guard run.table.isProtected else { return false }
    return run.openRanks(of: worker).contains { vrank in
      let holder = run.table.worker(run.table.hosts[vrank.index].holder)
      return holder.map { !reaches(worker, $0) } ?? true
    }
  }

  /// Whether a worker has said nothing against another's address.
  func reaches(_ worker: WorkerID, _ other: WorkerID) -> Bool {
    members.first { $0.id == worker }?.unreachable.contains(other) != true
  }

  private mutating func tellReach(
    of worker: WorkerID, _ isReachable: Bool, by whom: String, at now: Duration,
    into effects: inout [Effect]
  ) {
    guard let member = members.first(where: { $0.id == worker }) else { return }
    let address = member.hello.endpoint
    let detail =
      isReachable
      ? "\(whom) reaches it again at \(address)"
      : "\(whom) can't connect to it at \(address): tiles and copies go other ways; check its"
        + " --listen and --advertise"
    observe(
      Observation(
        isReachable ? .peerReached : .peerUnreachable, worker: member.name, detail: detail),
      at: now, into: &effects)
  }
}
