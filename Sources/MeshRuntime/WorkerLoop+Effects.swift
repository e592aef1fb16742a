internal import FoldEngine
internal import MeshCore
internal import MeshWire
internal import ZeroMQ

/// Carries out what the core decides.
extension WorkerLoop {
  func act(_ effect: Worker.Effect) {
    switch effect {
    case .send(let message): send(message)
    case .beat(let beat): self.beat(beat)
    case .pullBlocks(let pull): send(pull)
    case .begin(let assignment, let plan): begin(assignment, plan)
    case .release(_, let isOver): release(isOver: isOver)
    case .leave: stopSoon(.left)
    case .observe(let observation): configuration.log.write(observation)
    // Also without a job: whoever hears nothing from a worker that hasn't begun waits for long.
    case .job(_, .tile(.answer(let answer, let pull, let link))):
      let header = PartHeader(job: pull.job, planTag: pull.planTag, tile: pull.tile, part: 0)
      sendToPeer(.answer(answer, to: header), nil, link)
    case .job(_, .held(let effect)): hold(effect)
    case .job(let id, let effect): if let job, job.id == id { act(effect, job) }
    }
  }

  private func act(_ effect: JobEffect, _ job: WorkerJob) {
    switch effect {
    case .adopt(let table): adopt(table, job)
    case .tile(let effect): act(effect, job)
    case .step(let effect): act(effect, job)
    case .copy(let effect): copy(effect, job)
    case .restore(let effect): restore(effect, job)
    case .result(.sendResult(let vrank, let epoch, let message)):
      sendResult(vrank, epoch, message, job)
    case .result(.sendFinal(let vrank, let epoch)): sendFinal(vrank, epoch, job)
    case .pass(.askPass(let question, let source)):
      send(.passQuestion(question), nil, to: source, for: .copies)
    case .pass(.answerPass(let answer, let link)):
      sendToPeer(.passAnswer(answer), nil, link, for: .copies)
    case .held: break  // Also without a job: above.
    }
  }

  private func act(_ effect: TileEffect, _ job: WorkerJob) {
    switch effect {
    case .pull(let pull, let source):
      send(.pull(pull), nil, to: source, for: source == .store ? .inputs : .tiles)
    case .serve(let tile, let part, let link):
      guard let frame = job.shelf.part(part, of: tile) else { return }
      let header = PartHeader(job: job.id, planTag: job.planTag, tile: tile, part: part)
      pacer.add(LinkPacer.Parcel(frame: .part(header), payload: frame, link: link))
      sendPaced()
    case .keepPart(let tile, let part, let payload):
      if let frame = arrivals[payload] { job.shelf.add(frame, part: part, to: tile) }
    case .pack(let tile): pack(tile, job)
    case .unpack(let tile): memory.free(job.engine.unpack(tile))
    case .forget(let tile): memory.free(job.shelf.remove(tile))
    case .answer: break  // Also without a job: above.
    }
  }

  private func act(_ effect: StepEffect, _ job: WorkerJob) {
    switch effect {
    case .host(let vrank, _): job.engine.host(vrank)
    case .fold(let vrank, let epoch, let steps): fold(vrank, epoch, steps, job)
    case .replay(let tile): replay(tile, job)
    case .finish(let vrank, let epoch): finish(vrank, epoch, job)
    case .retire(let vrank, _):
      abandon(vrank, job)
      removeCheckpoints(of: vrank, job)
    case .abandon(let vrank, _): abandon(vrank, job)
    }
  }

  private func abandon(_ vrank: VRank, _ job: WorkerJob) {
    memory.free(job.results.removeValue(forKey: vrank))
    memory.free(job.engine.retire(vrank))
  }

  // MARK: Coordinator

  func send(_ message: WorkerMessage) {
    let frame = ControlFrame.worker(message, from: core.hello.worker)
    // Lost when there is no connection: hello and heartbeats come again by themselves.
    _ = try? control.socket.send(Message(header: Frame(frame.encode())))
  }

  private func beat(_ beat: WorkerMessage.Heartbeat) {
    var beat = beat
    if beat.isLast, let job { reporter?.note(job.id, job.traffic, beat.progress) }
    beat.traffic = job?.traffic ?? Traffic()
    beat.residentBytes = ProcessMemory.peakBytes
    beat.computation.itemsDone = pool.itemsDone
    beat.computation.isBusy = pool.isBusy
    beat.computation.slowTileSeconds = job?.slowTileSeconds ?? 0
    send(.heartbeat(beat))
  }

  /// Asks for the block map of a job that hasn't begun.
  private func send(_ pull: BlocksPull) {
    if blocksLink == nil {
      blocksLink = newLink(
        to: .store, at: storeEndpoint,
        configuration.credentials.map(\.toCoordinator) ?? SocketSecurity.none)
    }
    let message = PullLink.StoredMessage(
      header: DataFrame.blocksPull(pull).encode(), payload: nil, purpose: .inputs)
    // Before the job's counters begin.
    var traffic = Traffic()
    blocksLink?.send(message, counting: &traffic)
  }

  private func newLink(
    to source: Worker.Source, at endpoint: String, _ security: SocketSecurity
  ) -> PullLink? {
    let id = Sockets.routingID(linkOwner, nextLink)
    nextLink += 1
    isPollerStale = true
    return try? PullLink(
      source: source, endpoint: endpoint, security: security, usesIPv6: usesIPv6, routingID: id,
      context: dataContext)
  }

  private func begin(_ assignment: Assignment, _ plan: Plan) {
    Failpoint.pass("assign")
    gate?.setPeers(assignment.peers.compactMap(\.publicKey))
    let job = WorkerJob(
      assignment, plan: plan, worker: core.hello.worker, kernel: configuration.kernel,
      busySeconds: pool.busySeconds)
    job.links[.store] = blocksLink
    blocksLink = nil
    job.checkpoints = checkpoints(for: job)
    removeCheckpoints(before: assignment)
    self.job = job
    reporter?.endJob()
    isPollerStale = true
  }

  private func adopt(_ table: Assignment, _ job: WorkerJob) {
    gate?.setPeers(table.peers.compactMap(\.publicKey))
    job.adopt(table)
    for source in job.links.keys where job.endpoint(of: source, store: storeEndpoint) == nil {
      job.links[source] = nil
    }
    isPollerStale = true
  }

  private func release(isOver: Bool) {
    pool.cancel()
    if isOver, let checkpoints = job?.checkpoints { disk.run { checkpoints.removeAll() } }
    pacer.clear()
    // Sockets belong to this thread. What is left is memory alone.
    job?.links = [:]
    blocksLink = nil
    let remains = job.map(FreedOnce.init)
    job = nil
    peers = []
    isPollerStale = true
    memory.run {
      remains?.free()
      ProcessMemory.returnFreeMemory()
    }
  }

  // MARK: Sources

  func send(
    _ frame: DataFrame, _ payload: StoredFrame?, to source: Worker.Source,
    for purpose: Traffic.Purpose
  ) {
    guard let job, let link = link(to: source) else { return }
    let message = PullLink.StoredMessage(
      header: frame.encode(), payload: payload, purpose: purpose)
    link.send(message, counting: &job.traffic)
  }

  func link(to source: Worker.Source) -> PullLink? {
    guard let job else { return nil }
    if let link = job.links[source] { return link }
    // A source that can't even be named stays silent: the core asks the next one.
    guard let endpoint = job.endpoint(of: source, store: storeEndpoint),
      let security = security(to: source, job)
    else { return nil }
    let link = newLink(to: source, at: endpoint, security)
    job.links[source] = link
    return link
  }

  /// None to connect in the open; nil for a peer that has no key in a mesh that has them.
  private func security(to source: Worker.Source, _ job: WorkerJob) -> SocketSecurity? {
    guard let credentials = configuration.credentials else { return SocketSecurity.none }
    switch source {
    case .store: return credentials.toCoordinator
    case .peer(let worker):
      return credentials.toPeer(
        job.assignment.peers.first { $0.worker == worker }?.publicKey)
    }
  }

  // MARK: Peers

  func sendToPeer(
    _ frame: DataFrame, _ payload: StoredFrame?, _ link: Worker.Link,
    for purpose: Traffic.Purpose = .tiles
  ) {
    guard let peer = peers.first(where: { $0.number == link.number }) else { return }
    let header = frame.encode()
    let message = Message(
      routingID: peer.routingID, header: Frame(header), payload: payload?.copy())
    switch try? data.socket.send(message) {
    case .sent?: job?.traffic.count(header.count, payload?.count, for: purpose)
    case .unroutable?:
      peers.removeAll { $0.number == link.number }
      perform(.linkClosed(link))
    case .wouldBlock?, nil:
      // Beyond its credit, or dying: it asks again or is gone.
      job?.traffic.dropped += 1
    }
  }

  func sendPaced() {
    while let parcel = pacer.next(at: MonotonicClock.now) {
      sendToPeer(parcel.frame, parcel.payload, parcel.link)
    }
  }

  // MARK: Compute

  /// Done before folds that are asked for later begin; with many heads it takes long.
  private func pack(_ tile: TileID, _ job: WorkerJob) {
    let work = job.engine.pack(tile, job.shelf.payloads(of: tile))
    if tile.tensor == .query { memory.free(job.shelf.remove(tile)) }
    pool.submit(work)
  }

  private func fold(_ vrank: VRank, _ epoch: Epoch, _ steps: Range<Int>, _ job: WorkerJob) {
    Failpoint.pass("fold")
    let work = job.engine.work(of: vrank, steps: steps)
    let publish = publisher(of: work, job)
    let (id, notices) = (job.id, notices)
    submit(work) { cost in
      publish()
      _ = notices.post(
        .done(id, .folded(vrank, epoch, next: steps.upperBound, cost: cost)))
    }
  }

  /// What a step published, once more.
  private func replay(_ tile: TileID, _ job: WorkerJob) {
    Failpoint.pass("replay")
    let work = job.engine.replay(tile)
    let publish = publisher(of: work, job)
    let (id, notices) = (job.id, notices)
    submit(work) { _ in
      publish()
      _ = notices.post(.done(id, .replayed(tile)))
    }
  }

  /// Hands over what some work published, once it is done.
  private func publisher(
    of work: some StepWork, _ job: WorkerJob
  ) -> @Sendable () -> Void {
    let (id, plan, planTag, notices) = (job.id, job.plan, job.planTag, notices)
    return { [pool] in
      // Skipped, it has published nothing.
      guard !pool.isCancelling else { return }
      let tiles = work.publications.map {
        PublishedTile($0, plan: plan, job: id, planTag: planTag)
      }
      if !tiles.isEmpty { _ = notices.post(.published(id, tiles)) }
    }
  }

  private func submit(_ work: some StepWork, _ done: @escaping @Sendable (Duration) -> Void) {
    if let model = configuration.model {
      let time = Duration.seconds(Double(work.visiblePairs) / model.pairsPerSecond)
      let (pacer, now) = (foldPacer, MonotonicClock.now)
      pool.submit(
        itemCount: 1,
        perform: { _, _ in
          Failpoint.pass("compute")
          pacer.perform(time, askedAt: now)
        }, completion: done)
    } else {
      pool.submit(
        itemCount: work.itemCount,
        perform: {
          Failpoint.pass("compute")
          work.perform($0, scratch: $1)
        }, completion: done)
    }
  }

  private func finish(_ vrank: VRank, _ epoch: Epoch, _ job: WorkerJob) {
    Failpoint.pass("finish")
    memory.free(job.engine.dropRows(of: vrank))
    let kept = job.plan.job.isBackward ? job.plan.steps(of: vrank).kept : []
    let result = job.engine.finish(
      vrank, kept: kept.flatMap { job.shelf.payloads(of: $0) })
    job.results[vrank] = result
    let (id, notices) = (job.id, notices)
    pool.submit(result) { [pool] _ in
      result.seal { pool.countStep() }
      _ = notices.post(.done(id, .finished(vrank, epoch)))
    }
  }

  // MARK: Results

  private func sendResult(_ vrank: VRank, _ epoch: Epoch, _ message: Int, _ job: WorkerJob) {
    Failpoint.pass("send-result")
    guard let result = job.results[vrank] else { return }
    let state = result.header(
      message, job: job.id, planTag: job.planTag, epoch: epoch)
    guard let count = state.frameBytes else { return }
    let frame = Frame(count: count) { state.write(result.payload(message), to: $0) }
    send(.state(state.header), StoredFrame(frame), to: .store, for: .results)
  }

  private func sendFinal(_ vrank: VRank, _ epoch: Epoch, _ job: WorkerJob) {
    Failpoint.pass("send-final")
    guard let result = job.results[vrank], let digest = result.sealedDigest else { return }
    let end = VRankFinal(job: job.id, vrank: vrank, epoch: epoch, digest: digest)
    send(.vrankFinal(end), nil, to: .store, for: .results)
  }
}
