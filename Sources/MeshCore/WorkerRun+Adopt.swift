/// A table of hosts takes effect: what is hosted anew is sought, what another has is let go.
extension WorkerRun {
  /// Hosts what the first table of the job gives this worker.
  mutating func hostAssigned(into effects: inout Effects) {
    for vrank in plan.vranks { host(vrank, into: &effects) }
    fetching.order(shardsOf: hosted, cache, view)
  }

  /// - Parameter table: of the same job, with a higher revision, and this worker one of its peers.
  mutating func adopt(_ table: Assignment, at now: Duration, into effects: inout Effects) {
    let gone = assignment.peers.map(\.worker).filter { table.peer(of: $0) == nil }
    view.adopt(table)
    effects.append(.adopt(table))
    for rank in hosted.list where isLost(rank) { abandon(rank, into: &effects) }
    for vrank in plan.vranks { host(vrank, into: &effects) }
    for index in hosted.indices { update(index, into: &effects) }
    held.dropUnwanted(view, into: &effects)
    cache.review(for: hosted, view, into: &effects)
    fetching.order(shardsOf: hosted, cache, view)
    server.forget { tile in
      !tile.tensor.isStored && hosted.index(of: view.plan.owner(of: tile)) == nil
    }
    for worker in gone { lose(.peer(worker), at: now, into: &effects) }
  }

  /// Whether a rank is another's now, or this worker's under a new epoch.
  private func isLost(_ rank: HostedRank) -> Bool {
    let host = view.host(of: rank.vrank)
    return host.peer != view.me || host.epoch != rank.epoch
  }

  private mutating func abandon(_ rank: HostedRank, into effects: inout Effects) {
    hosted.remove(rank.vrank)
    rank.result?.end(&credit)
    copies.end(rank.vrank, into: &effects)
    fetching.drop(rowsOf: rank.vrank, &cache, plan, into: &effects)
    effects.append(.abandon(rank.vrank, rank.epoch))
  }

  /// Takes a rank that the table gives this worker, unless it has it.
  private mutating func host(_ vrank: VRank, into effects: inout Effects) {
    let host = view.host(of: vrank)
    guard host.peer == view.me, hosted.index(of: vrank) == nil else { return }
    let holder = assignment.worker(host.holder)
    var rank = HostedRank(
      vrank: vrank, epoch: host.epoch, duty: host.duty, plan,
      ahead: cache.window.tiles,
      copies: CopyRecord(
        holder: holder, isReachable: holder.map(view.isReachable) ?? true,
        isProtected: assignment.isProtected))
    if rank.hasSteps {
      fetching.add(rowsOf: vrank, plan)
      if !host.isFresh {
        rank.restoring = StateSearch(
          of: rank, in: host.sources.compactMap { assignment.worker($0) })
      }
    }
    hosted.add(rank)
    if host.duty != .serve { effects.append(.host(vrank, host.epoch)) }
  }

  /// Another holder, another duty.
  private mutating func update(_ index: Int, into effects: inout Effects) {
    let host = view.host(of: hosted[index].vrank)
    let holder = assignment.worker(host.holder)
    if holder != hosted[index].copies.holder {
      hosted[index].copies.change(to: holder)
      copies.loseCopy(of: index, &hosted, into: &effects)
      hosted[index].copies.reach(
        holder.map(view.isReachable) ?? true, dispatched: hosted[index].dispatched)
    }
    guard host.duty != hosted[index].duty else { return }
    if host.duty == .serve, !hosted[index].isDone {
      // Final without the receipt having arrived: nothing of it is needed any more.
      hosted[index].result?.end(&credit)
      hosted[index].result = nil
      copies.end(hosted[index].vrank, into: &effects)
      effects.append(.retire(hosted[index].vrank, hosted[index].epoch))
      for tile in hosted[index].steps.kept { cache.drop(tile, into: &effects) }
    }
    hosted[index].duty = host.duty
  }
}
