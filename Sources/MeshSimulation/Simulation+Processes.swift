internal import MeshCore

/// Processes die, stop and go on; and at last everything is healed.
extension Simulation {
  /// A worker's process dies; its supervisor may start another.
  ///
  /// - Parameter isSilent: its machine is gone: nobody's connection breaks.
  func crash(
    _ worker: WorkerProcess, restartAfter delay: Int?, keepsDisk: Bool, isSilent: Bool
  ) {
    guard worker.isAlive else { return }
    say { "\(worker.name) dies" }
    coverage.add(.path(.workerDied))
    if let write = worker.writing, options.faults.contains(.tornWrite) || !crashPoints.isEmpty,
      diskChance.below(2) == 0
    {
      coverage.add(.fault(.tornWrite))
      worker.slots.tear(write, by: worker.index)
    }
    end(worker, isSilent: isSilent)
    if let delay {
      queue.add(.startWorker(lineage: worker.lineage, keepsDisk: keepsDisk), at: now + delay)
    }
  }

  func end(_ worker: WorkerProcess, isSilent: Bool) {
    worker.isAlive = false
    worker.endedAt = now
    worker.isSilent = isSilent
    worker.backlog = []
    worker.work = []
    worker.job = nil
    ledger.ended(worker)
    closeConnections(of: worker, isSilent: isSilent)
  }

  private func closeConnections(of worker: WorkerProcess, isSilent: Bool) {
    guard !isSilent else { return }
    for number in connections.indices where connections[number].isOpen {
      if connections[number].client == worker.index || connections[number].server == worker.node {
        close(number)
      }
    }
  }

  func crashCoordinator(restartAfter delay: Int, losesPower: Bool) {
    guard let coordinator else { return }
    say { "coordinator dies\(losesPower ? " with its machine" : "")" }
    coverage.add(.path(.coordinatorDied))
    coordinator.backlog = []
    knownWorkers = coordinator.core.knownWorkers(at: clock)
    self.coordinator = nil
    // What was on its way to the disk is there or isn't, in order.
    for transaction in journal.underWay {
      guard diskChance.below(2) == 0 else { break }
      coverage.add(.path(.commitSurvivedCrash))
      apply(transaction)
    }
    journal.underWay = []
    if losesPower { files?.losePower(&diskChance) }
    for number in connections.indices
    where connections[number].isOpen && connections[number].server == .coordinator {
      close(number)
    }
    queue.add(.startCoordinator, at: now + delay)
  }

  func finish(_ fault: FaultEnd) {
    switch fault {
    case .resume(let index): resume(workers[index])
    case .speed(let index): workers[index].slowness = 1
    case .unhang(let index): unhang(workers[index])
    case .resumeCoordinator: resumeCoordinator()
    case .unstall: unstall()
    case .healJournal: journal.isFailing = false
    case .healDisk(let index): heal(workers[index].slots)
    case .liftCordon(let name):
      if client.cordoned == name { client.cordoned = nil }
      client.lifted.append(name)
    case .block(let from, let to): if !isCalm { conditions.block(from, to) }
    case .unblock(let from, let to): conditions.unblock(from, to)
    case .reset:
      if !isCalm { for number in connections.indices { close(number) } }
    case .die(let index):
      crash(workers[index], restartAfter: nil, keepsDisk: true, isSilent: false)
    case .leave(let index):
      let worker = workers[index]
      guard worker.isAlive else { return }
      say { "\(worker.name) ends" }
      end(worker, isSilent: false)
      // A rolling restart starts it again; at last somebody has to be there.
      if isCalm || faultChance.below(2) == 0 {
        queue.add(.startWorker(lineage: worker.lineage, keepsDisk: true), at: now + Time.second)
      }
    }
  }

  private func resume(_ worker: WorkerProcess) {
    guard worker.isAlive, worker.isPaused else { return }
    say { "\(worker.name) goes on" }
    worker.isPaused = false
    conditions.disturb(worker.node, .coordinator, at: now)
    replay(worker.backlog)
    worker.backlog = []
  }

  /// What had arrived is handled in the order in which it came.
  private func replay(_ backlog: [Action]) {
    for (place, action) in backlog.enumerated() { queue.add(action, at: now + place) }
  }

  private func unhang(_ worker: WorkerProcess) {
    worker.isHung = false
    guard worker.isAlive, worker.hasStalledWork else { return }
    worker.hasStalledWork = false
    queue.add(.computed(worker.index, number: worker.workNumber), at: now)
  }

  private func resumeCoordinator() {
    guard let coordinator, coordinator.isPaused else { return }
    say { "coordinator goes on" }
    coordinator.isPaused = false
    replay(coordinator.backlog)
    coordinator.backlog = []
  }

  private func unstall() {
    guard let coordinator, coordinator.isStalled else { return }
    coordinator.isStalled = false
    replay(coordinator.stalled.map { .store(term: coordinator.term, $0) })
    coordinator.stalled = []
  }

  private func heal(_ slots: SlotDirectory) {
    slots.isFull = false
    slots.hasErrors = false
    slots.isRotting = false
  }

  // MARK: The liveness phase

  /// Faults are over: everything works again, and somebody is there.
  func heal() {
    guard !isCalm else { return }
    say { "faults are over" }
    isCalm = true
    healedAt = now
    // What is under way may still be late.
    if faults.contains(where: \.isOfNetwork) || troubledUntil > now {
      troubledUntil = now + 4 * Time.second
    }
    ledger.isCalm = true
    conditions.heal()
    journal.isFailing = false
    heal(sharedSlots)
    slots.forEach(heal)
    resumeCoordinator()
    unstall()
    coordinator?.crashCountdown = nil
    if coordinator == nil { startCoordinator() }
    for worker in workers where worker.isAlive {
      worker.crashCountdown = nil
      worker.slowness = 1
      resume(worker)
      unhang(worker)
    }
    for worker in workers where worker.isSilent {
      worker.isSilent = false
      closeConnections(of: worker, isSilent: false)
    }
    for lineage in 0..<lineageCount
    where lineage == 0 || faultChance.below(2) == 0 {
      startWorker(lineage, keepsDisk: true)
    }
    deadline = now + (terminalAt == nil ? livenessBound : 8 * Time.second)
  }

  /// What a job may take once faults are over: one worker folds it all again, after every timeout
  /// there is.
  private var livenessBound: Int {
    120 * Time.second + 2 * expectedTime * max(1, options.workers)
  }
}
