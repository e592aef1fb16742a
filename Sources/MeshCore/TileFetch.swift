/// Asks for tiles, and asks elsewhere when they don't come: along the ring, then the owner, then the store,
/// and then in turn the owner and the store again, for as long as it takes. With both down a needer waits until
/// one is back, and nothing is lost.
struct TileFetch: Sendable {
  private var loads = StoreLoads()
  /// What answers to pulls take.
  private var trip = RoundTrip()

  // MARK: What the store is asked for

  /// Rows of a rank that is hosted anew.
  mutating func add(rowsOf vrank: VRank, _ plan: Plan) {
    loads.add(queryTiles: plan.queryTiles(of: vrank))
  }

  /// Rows of a rank that is another's now, asked for or kept.
  mutating func drop(
    rowsOf vrank: VRank, _ cache: inout TileCache, _ plan: Plan, into effects: inout Effects
  ) {
    let tiles = plan.queryTiles(of: vrank)
    for tile in tiles.map(TileID.query) {
      if let request = cache.request(of: tile) { giveBackCredit(tile, request, plan) }
      cache.drop(tile, into: &effects)
    }
    loads.remove(queryTiles: tiles)
  }

  /// Sets the order of loads: of the shards what some rank needs, and first what is needed first; rows by
  /// rank.
  mutating func order(shardsOf ranks: HostedRanks, _ cache: TileCache, _ view: JobView) {
    let own = ranks.list.flatMap { view.plan.keyTiles(of: $0.vrank) }
    let first = view.firstSteps
    loads.set(
      keyTiles: own.filter { cache.isAbsent(.keyValue($0)) && first[$0] < .max }
        .sorted { (first[$0], $0) < (first[$1], $1) })
  }

  /// Asks the store for as much as its credit allows.
  mutating func load(
    _ cache: inout TileCache, for ranks: HostedRanks, _ view: JobView, at now: Duration,
    into effects: inout Effects
  ) {
    let early = 2 * cache.window.tiles
    while let tile = loads.next(isEarly: { view.firstSteps[$0] < early }) {
      request(tile, of: .store, &cache, for: ranks, view, at: now, into: &effects)
    }
  }

  // MARK: Asking

  mutating func request(
    _ tile: TileID, of source: Worker.Source, after request: TileState.Request? = nil,
    _ cache: inout TileCache, for ranks: HostedRanks, _ view: JobView, at now: Duration,
    into effects: inout Effects
  ) {
    guard let asker = ranks.asker(for: tile, view.plan) else {
      return cache.drop(tile, into: &effects)
    }
    let received = request?.received ?? 0
    if source == .store {
      loads.asked(for: bytes(of: tile, received..<view.plan.partCount(tile.tensor), view.plan))
    }
    let end = view.plan.endOfPull(tile, from: received)
    cache.ask(
      TileState.Request(
        source: source, received: received, asked: end, since: now,
        attempts: (request?.attempts ?? 0) + 1),
      for: tile)
    pull(received..<end, of: tile, for: ranks[asker], from: source, view, into: &effects)
  }

  private func pull(
    _ parts: Range<Int>, of tile: TileID, for rank: HostedRank, from source: Worker.Source,
    _ view: JobView, into effects: inout Effects
  ) {
    effects.append(
      .pull(
        Pull(
          job: view.job, planTag: view.planTag, tile: tile, firstPart: parts.lowerBound,
          creditBytes: bytes(of: tile, parts, view.plan), worker: view.worker,
          vrank: rank.vrank, epoch: rank.epoch),
        from: source))
  }

  private func bytes(of tile: TileID, _ parts: Range<Int>, _ plan: Plan) -> Int {
    parts.reduce(0) { $0 + plan.payloadBytes(of: tile, part: $1) }
  }

  /// What was asked of the store and won't come any more.
  private mutating func giveBackCredit(
    _ tile: TileID, _ request: TileState.Request, _ plan: Plan
  ) {
    guard request.source == .store else { return }
    let parts = request.received..<plan.partCount(tile.tensor)
    loads.ended(missing: bytes(of: tile, parts, plan))
  }

  // MARK: What comes

  /// One more part of a tile, which is the next one that was asked for.
  ///
  /// - Returns: whether the tile is whole.
  mutating func receive(
    _ part: Int, of tile: TileID, _ cache: inout TileCache, for ranks: HostedRanks,
    _ view: JobView, at now: Duration, into effects: inout Effects
  ) -> Bool {
    guard var request = cache.request(of: tile) else { return false }
    request.received += 1
    // What was asked for twice says nothing about either answer.
    if request.attempts == 1 { trip.add(now - request.since) }
    request.since = now
    request.patience = nil
    if request.source == .store { loads.received(view.plan.payloadBytes(of: tile, part: part)) }
    guard request.received < view.plan.partCount(tile.tensor) else {
      cache.have(tile)
      if request.source == .store { loads.ended() }
      return true
    }
    // Of a large tile the next parts, once these are here.
    if request.received == request.asked, let asker = ranks.asker(for: tile, view.plan) {
      request.asked = view.plan.endOfPull(tile, from: request.received)
      pull(
        request.received..<request.asked, of: tile, for: ranks[asker], from: request.source, view,
        into: &effects)
    }
    cache.ask(request, for: tile)
    return false
  }

  /// What a source answers, before it sends anything.
  mutating func receive(
    _ answer: PullAnswer, about tile: TileID, from source: Worker.Source, _ cache: inout TileCache,
    for ranks: HostedRanks, _ view: JobView, at now: Duration, into effects: inout Effects
  ) {
    guard var request = cache.request(of: tile), request.source == source else { return }
    request.since = now
    switch answer {
    case .have, .coming: request.patience = nil
    case .later:
      // However long it takes; asked again now and then, for a message may be lost.
      request.patience = Limits.laterInterval
      request.attempts = 2
    case .no where !tile.tensor.isStored, .stale where !tile.tensor.isStored:
      // Its host has another table than this worker: the next one says more.
      request.patience = Limits.pullRetryInterval
    case .lost where source == .store:
      return fail(
        tile, "the input store's copy is damaged: submit the job again", ranks, view,
        into: &effects)
    case .no where source == .store, .stale where source == .store:
      // The last resort refuses, as right after a restart, or for ever who has lost its role: asking
      // again at once would go on as fast as messages travel.
      request.patience = Limits.pullRetryInterval
    case .no, .stale, .lost, .gone:
      return askElsewhere(
        tile, because: "it has it not", &cache, for: ranks, view, at: now, into: &effects)
    }
    cache.ask(request, for: tile)
  }

  private func fail(
    _ tile: TileID, _ reason: String, _ ranks: HostedRanks, _ view: JobView,
    into effects: inout Effects
  ) {
    guard let asker = ranks.asker(for: tile, view.plan) else { return }
    effects.fail(ranks[asker].vrank, step: ranks[asker].next, "\(tile): \(reason)")
  }

  // MARK: What doesn't come

  /// The connection to a source broke.
  mutating func lose(
    _ source: Worker.Source, _ cache: inout TileCache, for ranks: HostedRanks, _ view: JobView,
    at now: Duration, into effects: inout Effects
  ) {
    for tile in cache.requested where cache.request(of: tile)?.source == source {
      askElsewhere(
        tile, because: "the connection broke", &cache, for: ranks, view, at: now, into: &effects)
    }
  }

  mutating func expire(
    _ cache: inout TileCache, for ranks: HostedRanks, _ view: JobView, at now: Duration,
    into effects: inout Effects
  ) {
    for tile in cache.requested {
      guard let request = cache.request(of: tile), now - request.since >= timeout(request) else {
        continue
      }
      askElsewhere(
        tile, because: "nothing came for \(tenths(now - request.since)) s", &cache, for: ranks,
        view, at: now, into: &effects)
    }
  }

  private func timeout(_ request: TileState.Request) -> Duration {
    request.patience ?? trip.timeout(attempts: request.attempts, maximum: Limits.pullTimeout)
  }

  /// Asks another source for what is missing of a tile; of one that isn't asked for, nobody.
  mutating func askElsewhere(
    _ tile: TileID, because reason: String, _ cache: inout TileCache, for ranks: HostedRanks,
    _ view: JobView, at now: Duration, into effects: inout Effects
  ) {
    guard let request = cache.request(of: tile) else { return }
    guard tile.tensor.isStored else {
      return askAgain(tile, request, &cache, for: ranks, view, at: now, into: &effects)
    }
    giveBackCredit(tile, request, view.plan)
    var next = Worker.Source.store
    if tile.tensor == .keyValue, let owner = view.owner(of: tile), owner != request.source {
      next = owner
    }
    effects.observe(.sourceChanged, "\(tile): \(reason); asking \(view.name(of: next))")
    self.request(
      tile, of: next, after: request, &cache, for: ranks, view, at: now, into: &effects)
  }

  /// A tile that ranks compute has one source: the host of its producer, if there is one.
  private mutating func askAgain(
    _ tile: TileID, _ request: TileState.Request, _ cache: inout TileCache,
    for ranks: HostedRanks, _ view: JobView, at now: Duration, into effects: inout Effects
  ) {
    guard let owner = view.owner(of: tile) else { return cache.drop(tile, into: &effects) }
    guard request.patience != nil else {
      // A connection that breaks at once, or bytes that are always damaged, aren't asked for as fast as they
      // can be.
      var request = request
      (request.since, request.patience) = (now, Limits.pullRetryInterval)
      return cache.ask(request, for: tile)
    }
    self.request(
      tile, of: owner, after: request, &cache, for: ranks, view, at: now, into: &effects)
  }
}
