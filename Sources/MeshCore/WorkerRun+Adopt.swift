/// A table of hosts takes effect: what is hosted anew is sought, what another has is let go.
extension WorkerRun {
  /// Hosts what the first table of the job gives this worker.
  mutating func hostAssigned(into effects: inout [Worker.Effect]) {
    for vrank in plan.vranks { host(vrank, into: &effects) }
    orderLoads()
  }

  /// - Parameter next: of the same job, with a higher revision, and this worker one of its peers.
  mutating func adopt(
    _ table: Assignment, at now: Duration, into effects: inout [Worker.Effect]
  ) {
    let gone = assignment.peers.map(\.worker).filter { table.peer(of: $0) == nil }
    assignment = table
    ring = Ring(plan: plan, assignment: table)
    for vrank in plan.vranks {
      epochs[vrank.index] = max(epochs[vrank.index], table.hosts[vrank.index].epoch)
    }
    effects.append(.adopt(table))
    unreachable.removeAll { table.peer(of: $0) == nil }
    for rank in ranks where isLost(rank) { abandon(rank, into: &effects) }
    for vrank in plan.vranks { host(vrank, into: &effects) }
    for index in ranks.indices { update(index, into: &effects) }
    dropUnwantedCopies(into: &effects)
    reviewShard(into: &effects)
    orderLoads()
    // Those who wait for what another computes now ask again.
    waiters = waiters.filter { waiter in
      waiter.tile.tensor.isStored || rank(of: plan.owner(of: waiter.tile)) != nil
    }
    for worker in gone { lose(.peer(worker), at: now, into: &effects) }
  }

  /// Whether a rank is another's now, or this worker's under a new epoch.
  private func isLost(_ rank: HostedRank) -> Bool {
    let host = assignment.hosts[rank.vrank.index]
    return host.peer != me || host.epoch != rank.epoch
  }

  private mutating func abandon(_ rank: HostedRank, into effects: inout [Worker.Effect]) {
    ranks.removeAll { $0.vrank == rank.vrank }
    if let result = rank.result { resultsOutstanding -= result.sent - result.acknowledged }
    if snapshot?.vrank == rank.vrank { endSnapshot(into: &effects) }
    for tile in plan.queryTiles(of: rank.vrank) { cancel(.query(tile), into: &effects) }
    queryLoads = queryLoads.filter { plan.holder(ofQueryTile: $0) != rank.vrank }[...]
    effects.append(.abandon(rank.vrank, rank.epoch))
  }

  /// Lets go of a tile, asked for or kept.
  private mutating func cancel(_ tile: TileID, into effects: inout [Worker.Effect]) {
    if case .requested(let request) = tiles[tile] { giveBackCredit(tile, request) }
    if tiles.isAbsent(tile) { return }
    tiles[tile] = .absent
    effects.append(.forget(tile))
  }

  /// Takes a rank that the table gives this worker, unless it has it.
  private mutating func host(_ vrank: VRank, into effects: inout [Worker.Effect]) {
    let host = assignment.hosts[vrank.index]
    guard host.peer == me, rank(of: vrank) == nil else { return }
    let steps = plan.steps(of: vrank)
    let folds = !steps.isEmpty && host.duty != .serve
    var rank = HostedRank(
      vrank: vrank, epoch: host.epoch, steps: steps, ahead: window.tiles,
      missingQueries: folds ? plan.queryTiles(of: vrank).count : 0, duty: host.duty)
    rank.readers = plan.readers(of: vrank)
    rank.holder = assignment.worker(host.holder)
    rank.copies.isUnprotected = !assignment.isProtected
    rank.copies.isUnreachable = rank.holder.map { !isReachable(.peer($0)) } ?? false
    if folds, !host.isFresh {
      rank.restoring = HostedRank.Restoring(
        sources: host.sources.compactMap { assignment.worker($0) })
    }
    let place = ranks.firstIndex { vrank < $0.vrank } ?? ranks.endIndex
    ranks.insert(rank, at: place)
    if folds { queryLoads += plan.queryTiles(of: vrank) }
    if host.duty != .serve { effects.append(.host(vrank, host.epoch)) }
  }

  /// Another holder, another duty.
  private mutating func update(_ index: Int, into effects: inout [Worker.Effect]) {
    let host = assignment.hosts[ranks[index].vrank.index]
    let holder = assignment.worker(host.holder)
    if holder != ranks[index].holder {
      ranks[index].holder = holder
      loseCopy(index, into: &effects)
      ranks[index].copies.holderAnswered()
      noteReach(ofHolder: index)
    }
    guard host.duty != ranks[index].duty else { return }
    if host.duty == .serve, !ranks[index].isDone {
      // Final without the receipt having arrived: nothing of it is needed any more.
      if let result = ranks[index].result {
        resultsOutstanding -= result.sent - result.acknowledged
      }
      if snapshot?.vrank == ranks[index].vrank { endSnapshot(into: &effects) }
      ranks[index].result = nil
      effects.append(.retire(ranks[index].vrank, ranks[index].epoch))
    }
    ranks[index].duty = host.duty
  }

  /// Own tiles that aren't here are loaded; foreign ones that were own may be dropped.
  private mutating func reviewShard(into effects: inout [Worker.Effect]) {
    shardLoads = []
    foreign = tiles.here.filter { !isKept($0) } + replays.map(\.tile).filter { !isKept($0) }
    // What was kept as a shard may be far more than windows need.
    for tile in foreign where foreign.count > window.kept && isDroppable(tile) {
      drop(tile, into: &effects)
    }
  }

  /// Sets the order of loads from the store: of the shards what some rank needs, and first what is
  /// needed first; rows by rank.
  private mutating func orderLoads() {
    let own = ranks.flatMap { plan.keyTiles(of: $0.vrank) }
    shardLoads =
      own.filter { tile in
        tiles.isAbsent(.keyValue(tile)) && firstSteps[tile] < .max
      }.sorted { (firstSteps[$0], $0) < (firstSteps[$1], $1) }[...]
  }
}
