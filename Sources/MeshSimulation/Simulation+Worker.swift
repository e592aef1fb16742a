internal import AttentionKernels
internal import FoldEngine
internal import MeshCore

/// A worker's loop: events into the core, its effects carried out in order.
extension Simulation {
  func startWorker(_ lineage: Int, keepsDisk: Bool) {
    // Another start of the same worker may be alive still: a supervisor starts one at a time.
    if workers.contains(where: { $0.lineage == lineage && $0.isAlive }) { return }
    while slots.count <= lineage { slots.append(SlotDirectory()) }
    if !keepsDisk { slots[lineage] = SlotDirectory() }
    let index = workers.count
    let name = "worker-\(lineage + 1)"
    let isSpare =
      options.spares > 0 && lineage >= options.workers - options.spares
      && lineage < options.workers
    let hello = WorkerMessage.Hello(
      worker: WorkerID(incarnation: Self.firstIncarnation + UInt64(index)), name: name,
      processID: index, version: protocolVersion, numerics: job.kernel.level.arithmeticClass,
      level: job.kernel.level.name, threads: 1, memoryBytes: .max, endpoint: "\(index)",
      machine: options.machine(ofLineage: lineage), isSpare: isSpare)
    let core = Worker(
      hello: hello, hasSlots: options.hasSlots, windowBytes: options.windowBytes,
      outboxTiles: options.outboxTiles, defect: options.defect)
    let process = WorkerProcess(
      index: index, lineage: lineage, name: name, core: core,
      slots: options.hasSharedSlots ? sharedSlots : slots[lineage], at: now)
    workers.append(process)
    ledger.started(process)
    say { "\(name) starts as process \(index)" }
    tick(process)
  }

  func tick(_ worker: WorkerProcess) {
    guard worker.isAlive else { return }
    if worker.isPaused {
      worker.backlog.append(.tick(worker.index))
      return
    }
    queue.add(.tick(worker.index), at: now + options.timing.tick)
    tellReach(worker)
    tell(worker, .tick)
  }

  /// Gives an event of a job to a worker's core.
  func tell(_ worker: WorkerProcess, _ job: JobID, _ event: JobEvent) {
    tell(worker, .job(job, event))
  }

  /// Gives an event to a worker's core.
  func tell(_ worker: WorkerProcess, _ event: Worker.Event) {
    guard worker.isAlive else { return }
    if worker.isPaused {
      worker.backlog.append(.worker(worker.index, event))
      return
    }
    delivered += 1
    trace.add(UInt64(truncatingIfNeeded: now))
    trace.add(UInt64(worker.index) << 8 | UInt64(event.number))
    if transcript != nil, event.number != 0 { say { "\(worker.name) ← \(event.summary)" } }
    ledger.note(event, to: worker)
    noteOverdue(event, worker)
    for effect in worker.core.handle(event, at: clock) {
      if diesBefore(worker) { return }
      ledger.note(effect, of: worker, in: self)
      guard ledger.violation == nil else { return }
      perform(effect, by: worker)
      guard worker.isAlive else { return }
    }
    if case .tick = event {
      ledger.settled(worker)
      disturb(worker)
    }
    // A worker that is refused ends; its supervisor starts it again.
    if case .coordinator(.refused(let code, _)) = event, code != .unavailable {
      coverage.add(.path(.refused))
      crash(worker, restartAfter: Time.second, keepsDisk: true, isSilent: false)
    }
  }

  /// Notes what ends or replaces the wait for a block map.
  private func noteOverdue(_ event: Worker.Event, _ worker: WorkerProcess) {
    guard let waiting = worker.core.fetch?.assignment, case .coordinator(let order) = event else {
      return
    }
    switch order {
    case .assign(let table, _) where table.revision > waiting.revision:
      coverage.add(.path(.blocksOverdue))
    case .release: coverage.add(.path(.blocksOverdue))
    default: break
    }
  }

  private func diesBefore(_ worker: WorkerProcess) -> Bool {
    let number = effectCount
    effectCount += 1
    if !crashPoints.isEmpty, crashPoints.contains(where: { $0.effect == number }) {
      crash(worker, restartAfter: 500 * Time.millisecond, keepsDisk: true, isSilent: false)
      return true
    }
    guard let countdown = worker.crashCountdown else { return false }
    if countdown > 0 {
      worker.crashCountdown = countdown - 1
      return false
    }
    worker.crashCountdown = nil
    crash(worker, restartAfter: restartDelay(), keepsDisk: worker.keepsDisk, isSilent: false)
    return true
  }

  private func perform(_ effect: Worker.Effect, by worker: WorkerProcess) {
    switch effect {
    case .send(let message): report(message, by: worker)
    case .beat(let beat): self.beat(beat, by: worker)
    case .pullBlocks(let pull):
      coverage.add(.path(pull == worker.blocksPull ? .blocksAgain : .blocksAsked))
      worker.blocksPull = pull
      send(.blocksPull(pull), by: worker, to: .store)
    case .begin(let table, let plan):
      worker.job = WorkerJobState(table, plan, job: job, of: worker, in: self)
    case .job(_, let effect): perform(effect, by: worker)
    case .release(_, let isOver): release(worker, isOver: isOver)
    case .leave: leave(worker)
    case .observe(let observation):
      coverage.note(observation)
      if observation.kind == .sourceChanged, observation.vrank != nil {
        coverage.add(.path(.revived))
      }
      say { "\(worker.name) · \(observation.kind.name) \(observation.detail)" }
    }
  }

  private func perform(_ effect: JobEffect, by worker: WorkerProcess) {
    // Also without a job: whoever hears nothing waits for long.
    if case .tile(.answer(let answer, let pull, let link)) = effect {
      if answer == .later { coverage.add(.path(.later)) }
      if answer == .gone { coverage.add(.path(.gone)) }
      return send(.answer(answer, pull.job, pull.tile), on: Int(link.number), isForward: false)
    }
    if case .held(let effect) = effect { return hold(effect, by: worker) }
    guard let job = worker.job else { return }
    switch effect {
    case .adopt(let table): adopt(table, by: worker, job)
    case .tile(let effect): perform(effect, by: worker, job)
    case .step(let effect): compute(effect, by: worker, job)
    case .copy(let effect): copy(effect, by: worker, job)
    case .restore(let effect): restore(effect, by: worker, job)
    case .result(let effect): deliver(effect, by: worker, job)
    case .pass(.askPass(let question, let source)):
      send(.passQuestion(question), by: worker, to: source)
    case .pass(.answerPass(let answer, let link)):
      send(.passAnswer(answer), on: Int(link.number), isForward: false)
    case .held: break  // Above.
    }
  }

  private func perform(_ effect: TileEffect, by worker: WorkerProcess, _ job: WorkerJobState) {
    switch effect {
    case .pull(let pull, let source): send(.pull(pull), by: worker, to: source)
    case .serve(let tile, let part, let link):
      tileBytes += job.plan.payloadBytes(of: tile, part: part)
      send(
        .part(job.id, tile, part: part, payload: job.shelf[tile]?[part], isBad: false),
        on: Int(link.number), isForward: false)
    case .keepPart(let tile, let part, let payload):
      guard !tile.tensor.isStored, let bytes = worker.parts[payload] else { return }
      job.keep(bytes, of: tile, part: part)
    case .pack(let tile): job.engine.pack(tile, payloads(of: tile, job))
    case .unpack(let tile): job.engine.unpack(tile)
    case .forget(let tile): job.shelf[tile] = nil
    case .answer: break  // Above.
    }
  }

  private func deliver(_ effect: ResultEffect, by worker: WorkerProcess, _ job: WorkerJobState) {
    switch effect {
    case .sendResult(let vrank, let epoch, let message):
      guard let result = job.results[vrank.index] else { return }
      send(
        .result(
          vrank, epoch, message: message, payload: result.payload(message), isBad: false),
        by: worker, to: .store)
    case .sendFinal(let vrank, let epoch):
      guard let result = job.results[vrank.index] else { return }
      let payloads = (0..<result.messageCount).map(result.payload)
      send(.final(vrank, epoch, payloads: payloads), by: worker, to: .store)
    }
  }

  // MARK: The coordinator

  private func report(_ message: WorkerMessage, by worker: WorkerProcess) {
    // Lost when there is no connection: hello and heartbeats come again by themselves.
    guard let connection = controlConnection(of: worker) else { return }
    send(.report(message), on: connection, isForward: true)
  }

  private func beat(_ beat: WorkerMessage.Heartbeat, by worker: WorkerProcess) {
    var beat = beat
    beat.computation.itemsDone = worker.itemsDone
    beat.computation.isBusy = !worker.work.isEmpty
    beat.computation.slowTileSeconds =
      Double(options.timing.tile * worker.slowness) / Double(Time.second)
    beat.traffic.computeSeconds = Double(worker.computed) / Double(Time.second)
    report(.heartbeat(beat), by: worker)
  }

  private func release(_ worker: WorkerProcess, isOver: Bool) {
    if isOver {
      worker.wasToldOfEnd = true
      remove(.all, by: worker)
    }
    worker.job = nil
    worker.work = []
    worker.workNumber += 1
    worker.hasStalledWork = false
    for number in worker.dataConnections.values.sorted() { close(number) }
    worker.dataConnections = [:]
    worker.blockedSince = [:]
    worker.toldUnreachable = []
  }

  private func leave(_ worker: WorkerProcess) {
    coverage.add(.path(.left))
    // The goodbye has to arrive before the connections break.
    queue.add(.endOfFault(.leave(worker.index)), at: now + 100 * Time.millisecond)
  }

  private func adopt(_ table: Assignment, by worker: WorkerProcess, _ job: WorkerJobState) {
    job.table = table
    for (server, number) in worker.dataConnections.sorted(by: { $0.key < $1.key }) where server > 0
    {
      if table.peer(of: workers[server - 1].id) == nil {
        close(number)
        worker.dataConnections[server] = nil
      }
    }
  }

  // MARK: Sources

  /// Sends to a peer or the store.
  func send(_ message: Message, by worker: WorkerProcess, to source: Worker.Source) {
    let server: Node
    switch source {
    case .store: server = .coordinator
    case .peer(let id):
      guard let process = process(of: id) else { return }
      server = process.node
    }
    send(message, on: connection(of: worker, to: server), isForward: true)
  }

  private func payloads(of tile: TileID, _ job: WorkerJobState) -> [[UInt8]] {
    guard tile.tensor.isStored else { return job.shelf[tile] ?? [] }
    return (0..<job.plan.partCount(tile.tensor)).map {
      self.job.payload(of: tile, part: $0, in: job.plan)
    }
  }
}
