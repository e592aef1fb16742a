internal import AttentionMasks
internal import MeshCore

/// The coordinator's loop: events into the core, its effects carried out in order, its journal.
extension Simulation {
  func startCoordinator() {
    guard coordinator == nil else { return }
    lastTerm += 1
    var configuration = Coordinator.Configuration(
      term: lastTerm, storeEndpoint: "store", diskQuotaBytes: .max, retention: .seconds(3_600),
      stragglers: options.seed % 2 == 0 ? .report : .rehost, seed: options.seed &+ lastTerm,
      wallSeconds: clock.seconds)
    // Some meshes wait for workers: those of old seeds don't.
    if options.seed % 3 == 1 { configuration.settling = Limits.settlingTime }
    let core = Coordinator(
      configuration: configuration, images: journal.images, blocks: storedBlocks,
      workers: knownWorkers, at: clock, defect: options.defect)
    let process = CoordinatorProcess(term: lastTerm, core: core)
    coordinator = process
    say { "coordinator starts under term \(self.lastTerm)" }
    tick(process)
  }

  /// The block maps that are in the store.
  private var storedBlocks: [JobID: BlockMap] {
    journal.images.filter { $0.needsInputs == true }
      .reduce(into: [:]) { $0[$1.job] = job.blocks }
  }

  func tick(_ coordinator: CoordinatorProcess) {
    // A loop that was stopped finds its tick overdue: it comes right after what had arrived.
    if coordinator.isPaused {
      coordinator.backlog.append(.coordinatorTick(term: coordinator.term))
      return
    }
    queue.add(.coordinatorTick(term: coordinator.term), at: now + options.timing.tick)
    tell(coordinator, .tick)
    disturb(coordinator)
  }

  func tell(_ coordinator: CoordinatorProcess, _ event: Coordinator.Event) {
    if coordinator.isPaused {
      coordinator.backlog.append(.coordinator(term: coordinator.term, event))
      return
    }
    delivered += 1
    trace.add(UInt64(truncatingIfNeeded: now))
    trace.add(0xFF00 | UInt64(event.number))
    if transcript != nil, event.number != 0 { say { "coordinator ← \(event.summary)" } }
    let probe = ledger.probe(event, coordinator, at: clock)
    for effect in coordinator.core.handle(event, at: clock) {
      if diesBefore(coordinator) { return }
      ledger.note(effect, in: self)
      guard ledger.violation == nil else { return }
      perform(effect, by: coordinator)
    }
    if let probe { ledger.check(probe, coordinator, at: clock) }
  }

  private func diesBefore(_ coordinator: CoordinatorProcess) -> Bool {
    let number = effectCount
    effectCount += 1
    if !crashPoints.isEmpty, crashPoints.contains(where: { $0.effect == number }) {
      crashCoordinator(restartAfter: 300 * Time.millisecond, losesPower: number % 2 == 0)
      return true
    }
    guard let countdown = coordinator.crashCountdown else { return false }
    if countdown > 0 {
      coordinator.crashCountdown = countdown - 1
      return false
    }
    crashCoordinator(restartAfter: restartDelay(), losesPower: coordinator.losesPower)
    return true
  }

  private func perform(_ effect: Coordinator.Effect, by coordinator: CoordinatorProcess) {
    switch effect {
    case .send(let message, let worker):
      guard let process = process(of: worker), let control = process.control else { return }
      send(.order(message), on: control, isForward: false)
    case .reply(let outcome, _):
      if case .success(.status(let status)) = outcome {
        ledger.told(status, term: coordinator.term)
      }
      queue.add(.clientReply(outcome), at: now + options.network.delay)
    case .store(let command):
      queue.add(
        .store(term: coordinator.term, .command(command)), at: now + 20 * Time.microsecond)
    case .commit(let number, let images, let removing):
      journal.underWay.append(
        Journal.Transaction(number: number, images: images, removing: removing))
      let time = options.timing.commit + diskChance.below(options.timing.commit)
      queue.add(.committed(term: coordinator.term), at: now + time)
    case .observe(let observation):
      coverage.note(observation)
      ledger.note(observation, in: self)
      say {
        "coordinator · \(observation.kind.name) \(observation.worker ?? "")\(observation.vrank.map { " rank \($0)" } ?? "") \(observation.detail)"
      }
    }
  }

  /// The oldest transaction is on disk, or the disk failed it.
  func committed(_ coordinator: CoordinatorProcess) {
    if coordinator.isStalled || coordinator.isPaused && coordinator.isDeaf {
      queue.add(.committed(term: coordinator.term), at: now + 20 * Time.millisecond)
      return
    }
    guard !journal.underWay.isEmpty else { return }
    let transaction = journal.underWay.removeFirst()
    if journal.isFailing {
      coverage.add(.refusal(.commitFailed))
      return tell(
        coordinator, .commitFailed(transaction.number, reason: "no space is left on the disk"))
    }
    apply(transaction)
    tell(coordinator, .committed(transaction.number))
  }

  func apply(_ transaction: Journal.Transaction) {
    journal.apply(transaction)
    for image in transaction.images { ledger.committed(image, files: files) }
  }

  /// Messages of workers, and results.
  func receive(
    _ message: Message, by coordinator: CoordinatorProcess, from worker: WorkerProcess,
    on number: Int
  ) {
    switch message {
    case .report(let report):
      tell(coordinator, .message(report, from: worker.id))
    default: receive(message, inStoreOf: coordinator, from: worker, on: number)
    }
  }
}
