/// Which tiles to ask for, of whom, and what to do when they don't come.
extension WorkerRun {
  /// Asks for whatever may be asked for now: rows and shard from the store, the windows' foreign
  /// tiles along the ring, within the byte credit of each.
  mutating func fetch(at now: Duration, into effects: inout [Worker.Effect]) {
    while let tile = nextLoad() {
      request(tile, of: .store, at: now, into: &effects)
    }
    for tile in wantedTiles() {
      guard tile.tensor.isStored else {
        seek(tile, at: now, into: &effects)
        continue
      }
      guard makeRoom(for: tile, into: &effects) else { return }
      request(tile, of: firstSource(of: tile), at: now, into: &effects)
    }
  }

  /// Along the ring; of the owner, or the store, where those before can't be reached.
  private func firstSource(of tile: TileID) -> Worker.Source {
    let first = peer(ring.source(of: tile.index, for: me))
    return isReachable(first) ? first : owner(of: tile) ?? .store
  }

  /// The owner of a tile that isn't here, if it can be asked.
  func owner(of tile: TileID) -> Worker.Source? {
    let owner = peer(ring.owner(of: tile))
    return owner != .store && owner != .peer(worker) && isReachable(owner) ? owner : nil
  }

  /// A peer as a source; the store for none.
  private func peer(_ index: Int?) -> Worker.Source {
    assignment.worker(index).map { .peer($0) } ?? .store
  }

  /// The next tile to load from the store, if its credit allows: tiles of the shard that ranks need
  /// among their first, since they wait for them, then rows, then the rest of the shard.
  private mutating func nextLoad() -> TileID? {
    guard
      storeBytes == 0
        || (storeBytes < Limits.storeCreditBytes && storePulls < Limits.storePullsOutstanding)
    else { return nil }
    let isEarly = shardLoads.first.map { firstSteps[$0] < 2 * window.tiles } ?? false
    if isEarly || queryLoads.isEmpty, let tile = shardLoads.popFirst() { return .keyValue(tile) }
    if let tile = queryLoads.popFirst() { return .query(tile) }
    return nil
  }

  /// Tiles for some rank's window that nobody has been asked for, ascending: those that other workers keep,
  /// and those that ranks compute.
  private func wantedTiles() -> [TileID] {
    var wanted: [TileID] = []
    func want(_ tile: TileID) {
      guard tiles.isAbsent(tile), !(tile.tensor.isStored && isOwn(tile)), !wanted.contains(tile)
      else { return }
      wanted.append(tile)
    }
    for rank in ranks where rank.goesOn {
      for step in rank.window { rank.steps.reads(step).forEach(want) }
    }
    for replay in replays { replay.reads.forEach(want) }
    return wanted.sorted()
  }

  /// The tiles that the rank furthest behind waits for, or that are being read for it: however full it is,
  /// they are let in.
  var tilesBehind: AtMostTwo<TileID> {
    var behind: (order: StepOrder, reads: AtMostTwo<TileID>)?
    func consider(_ order: StepOrder, _ reads: @autoclosure () -> AtMostTwo<TileID>) {
      if let behind, behind.order < order { return }
      behind = (order, reads())
    }
    for rank in ranks {
      if !rank.window.isEmpty { consider(order(rank, rank.next), rank.steps.reads(rank.next)) }
    }
    for replay in replays { consider(replay.order, replay.reads) }
    return behind?.reads ?? AtMostTwo()
  }

  /// Whether one more foreign tile may be held. Drops the lowest that no rank here still has to
  /// fold, as many as are too many: a shard that became another's is many at once. The tile that the
  /// rank furthest behind waits for is always let in.
  mutating func makeRoom(for tile: TileID, into effects: inout [Worker.Effect]) -> Bool {
    while foreign.count >= window.kept, let old = foreign.first(where: { isDroppable($0) }) {
      drop(old, into: &effects)
    }
    if foreign.count >= window.kept, !tilesBehind.contains(tile) { return false }
    foreign.append(tile)
    foreign.sort()
    return true
  }

  /// A rank whose rows came late needs again what the others are done with. One that has stopped to be
  /// handed over keeps nothing: others fold on meanwhile.
  private func isStillToRead(_ tile: TileID) -> Bool {
    ranks.contains { $0.goesOn && $0.isStillToRead(tile) }
      || replays.contains { $0.reads.contains(tile) }
  }

  /// A foreign tile that nobody here has any use for.
  func isDroppable(_ tile: TileID) -> Bool {
    tiles.isResident(tile) && !packed.contains(tile) && !isStillToRead(tile)
  }

  mutating func drop(_ tile: TileID, into effects: inout [Worker.Effect]) {
    tiles[tile] = .absent
    foreign.removeAll { $0 == tile }
    effects.append(.forget(tile))
  }

  mutating func request(
    _ tile: TileID, of source: Worker.Source, received: Int = 0, attempts: Int = 1,
    at now: Duration,
    into effects: inout [Worker.Effect]
  ) {
    guard let rank = asker(for: tile) else {
      // Nobody hosted here wants it any more, nor the parts that came.
      foreign.removeAll { $0 == tile }
      guard case .requested = tiles[tile] else { return }
      tiles[tile] = .absent
      effects.append(.forget(tile))
      return
    }
    if source == .store {
      storeBytes += bytes(of: tile, received..<plan.partCount(tile.tensor))
      storePulls += 1
    }
    let end = plan.endOfPull(tile, from: received)
    tiles[tile] = .requested(
      TileState.Request(
        source: source, received: received, asked: end, since: now, attempts: attempts))
    pull(received..<end, of: tile, for: rank, from: source, into: &effects)
  }

  private func pull(
    _ parts: Range<Int>, of tile: TileID, for rank: (vrank: VRank, epoch: Epoch),
    from source: Worker.Source, into effects: inout [Worker.Effect]
  ) {
    effects.append(
      .pull(
        Pull(
          job: job, planTag: planTag, tile: tile, firstPart: parts.lowerBound,
          creditBytes: bytes(of: tile, parts), worker: worker, vrank: rank.vrank,
          epoch: rank.epoch),
        from: source))
  }

  private func bytes(of tile: TileID, _ parts: Range<Int>) -> Int {
    parts.reduce(0) { $0 + plan.payloadBytes(of: tile, part: $1) }
  }

  /// Whether a part is the next one of a tile that was asked for. Any source's will do: what comes
  /// late from one that was given up is as good as what the next one sends.
  package func takes(_ part: Int, of tile: TileID) -> Bool {
    guard tiles.isKnown(tile), case .requested(let request) = tiles[tile] else { return false }
    return request.received == part && part < plan.partCount(tile.tensor)
  }

  /// One more part of a tile. Parts of a tile come in order; anything else was not asked for.
  mutating func receive(
    _ part: Int, of tile: TileID, at now: Duration, into effects: inout [Worker.Effect]
  ) {
    guard takes(part, of: tile), case .requested(var request) = tiles[tile] else { return }
    request.received += 1
    // What was asked for twice says nothing about either answer.
    if request.attempts == 1 { pullTrip.add(now - request.since) }
    request.since = now
    request.patience = nil
    if request.source == .store { storeBytes -= plan.payloadBytes(of: tile, part: part) }
    if tile.tensor != .query { forward(part, of: tile, into: &effects) }
    guard request.received == plan.partCount(tile.tensor) else {
      // Of a large tile the next parts, once these are here.
      if request.received == request.asked, let rank = asker(for: tile) {
        request.asked = plan.endOfPull(tile, from: request.received)
        pull(
          request.received..<request.asked, of: tile, for: rank, from: request.source,
          into: &effects)
      }
      tiles[tile] = .requested(request)
      return
    }
    tiles[tile] = .resident
    if request.source == .store { storePulls -= 1 }
    if tile.tensor == .query {
      effects.append(.pack(tile))
      if let index = rank(of: plan.holder(ofQueryTile: tile.index)) {
        ranks[index].missingQueries -= 1
      }
    }
  }

  mutating func receive(
    _ answer: PullAnswer, about tile: TileID, from source: Worker.Source, at now: Duration,
    into effects: inout [Worker.Effect]
  ) {
    guard tiles.isKnown(tile), case .requested(var request) = tiles[tile], request.source == source
    else {
      return
    }
    switch answer {
    case .have, .coming:
      request.since = now
      request.patience = nil
      tiles[tile] = .requested(request)
    case .later:
      // However long it takes; asked again now and then, for a message may be lost.
      request.since = now
      request.patience = Limits.laterInterval
      request.attempts = 2
      tiles[tile] = .requested(request)
    case .gone where tile.tensor == .partial:
      guard isWanted(tile) else { return drop(tile, into: &effects) }
      tiles[tile] = .absent
      replay(tile, into: &effects)
    case .no where !tile.tensor.isStored, .stale where !tile.tensor.isStored:
      // Its host has another table than this worker: the next one says more.
      request.since = now
      request.patience = Limits.pullRetryInterval
      tiles[tile] = .requested(request)
    case .lost where source == .store:
      fail(
        tile, "the input store's copy is damaged: submit the job again", into: &effects)
    case .no where source == .store, .stale where source == .store:
      // The last resort refuses, as right after a restart, or for ever who has lost its role: asking
      // again at once would go on as fast as messages travel.
      request.since = now
      request.patience = Limits.pullRetryInterval
      tiles[tile] = .requested(request)
    case .no, .stale, .lost, .gone:
      askElsewhere(tile, request, because: "it has it not", at: now, into: &effects)
    }
  }

  mutating func lose(
    _ source: Worker.Source, at now: Duration, into effects: inout [Worker.Effect]
  ) {
    for index in ranks.indices { giveUpSource(source, of: index) }
    loseHolder(source, at: now, into: &effects)
    for tile in tiles.requested {
      guard case .requested(let request) = tiles[tile], request.source == source else { continue }
      askElsewhere(tile, request, because: "the connection broke", at: now, into: &effects)
    }
  }

  mutating func expire(at now: Duration, into effects: inout [Worker.Effect]) {
    for tile in tiles.requested {
      guard case .requested(let request) = tiles[tile], now - request.since >= timeout(request)
      else {
        continue
      }
      askElsewhere(
        tile, request, because: "nothing came for \(tenths(now - request.since)) s", at: now,
        into: &effects)
    }
    expireResults(at: now, into: &effects)
    expireRestoring(at: now, into: &effects)
    expireLoads(at: now, into: &effects)
    expireCopies(at: now, into: &effects)
    expireWrite(at: now, into: &effects)
  }

  /// Ring, then owner, then store, and then in turn the owner and the store again, for as long as it
  /// takes: with both down a needer waits until one is back, and nothing is lost.
  mutating func askElsewhere(
    _ tile: TileID, _ request: TileState.Request, because reason: String, at now: Duration,
    into effects: inout [Worker.Effect]
  ) {
    guard tile.tensor.isStored else {
      return askAgain(tile, request, at: now, into: &effects)
    }
    if request.source == .store { giveBackCredit(tile, request) }
    var next = Worker.Source.store
    if tile.tensor == .keyValue, let owner = owner(of: tile), owner != request.source {
      next = owner
    }
    effects.append(
      .observe(
        Observation(
          .sourceChanged, job: job, detail: "\(tile): \(reason); asking \(name(of: next))")))
    self.request(
      tile, of: next, received: request.received, attempts: request.attempts + 1, at: now,
      into: &effects)
  }

  /// A tile that ranks compute has one source: the host of its producer, if there is one.
  private mutating func askAgain(
    _ tile: TileID, _ request: TileState.Request, at now: Duration,
    into effects: inout [Worker.Effect]
  ) {
    guard let owner = owner(of: tile) else {
      return drop(tile, into: &effects)
    }
    guard request.patience != nil else {
      // A connection that breaks at once, or bytes that are always damaged, aren't asked for as fast as they
      // can be.
      var request = request
      (request.since, request.patience) = (now, Limits.pullRetryInterval)
      tiles[tile] = .requested(request)
      return
    }
    self.request(
      tile, of: owner, received: request.received, attempts: request.attempts + 1, at: now,
      into: &effects)
  }

  private func timeout(_ request: TileState.Request) -> Duration {
    request.patience
      ?? pullTrip.timeout(attempts: request.attempts, maximum: Limits.pullTimeout)
  }

  /// What was asked of the store and won't come any more.
  mutating func giveBackCredit(_ tile: TileID, _ request: TileState.Request) {
    guard request.source == .store else { return }
    storePulls -= 1
    storeBytes -= bytes(of: tile, request.received..<plan.partCount(tile.tensor))
  }

  private func name(of source: Worker.Source) -> String {
    switch source {
    case .store: "the input store"
    case .peer(let worker):
      assignment.peer(of: worker).map { "worker \($0 + 1) of \(assignment.peers.count)" }
        ?? "a worker that was lost"
    }
  }

  func fail(_ tile: TileID, _ reason: String, into effects: inout [Worker.Effect]) {
    guard let rank = asker(for: tile), let index = self.rank(of: rank.vrank) else { return }
    effects.append(
      .send(.failed(job, rank.vrank, step: ranks[index].next, reason: "\(tile): \(reason)")))
  }
}
