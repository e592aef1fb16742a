internal import MeshCore

/// The safety phase: what goes wrong, when, and with whom.
extension Simulation {
  /// Draws when faults happen: mostly while the job runs.
  func scheduleFaults() {
    let start = 200 * Time.millisecond
    let length = options.timing.submitAt + expectedTime * 4 / 3
    for number in 0..<options.faultCount {
      let at = start + faultChance.below(length)
      queue.add(.fault(number), at: at)
    }
    queue.add(.heal, at: start + length + faultChance.below(4 * Time.second))
  }

  /// How long the job takes when nothing happens.
  var expectedTime: Int {
    let plan = Plan(job: job.spec, vrankCount: max(1, job.spec.vranks), blocks: job.blocks)
    let steps = plan.vranks.reduce(0) { $0 + plan.steps(of: $1).count }
    return steps * options.timing.tile / max(1, options.workers - options.spares)
      + 200 * Time.millisecond
  }

  /// Whether messages between processes that live have arrived, in time, from a second before `start`
  /// on.
  func isSound(since start: Int) -> Bool {
    if !isCalm, faults.contains(where: { $0.isOfNetwork && $0.isContinuous }) { return false }
    return start - troubledUntil >= Time.second
  }

  /// A fault keeps messages from arriving for a while.
  private func trouble(by kind: FaultKind) {
    switch kind {
    case .pause, .coordinatorPause, .storeStall, .journalFailure: break
    default: guard kind.isOfNetwork else { return }
    }
    // None of them lasts longer.
    troubledUntil = max(troubledUntil, now + 7 * Time.second)
  }

  func strike(_ number: Int) {
    guard !isCalm, let kind = drawKind() else { return }
    say { "fault: \(kind.rawValue)" }
    trouble(by: kind)
    if strike(kind) { coverage.add(.fault(kind)) }
  }

  private func drawKind() -> FaultKind? {
    // Few of these do any harm: it takes an owner that copies just then.
    if faults.contains(.missedTable), faultChance.below(3) == 0 { return .missedTable }
    return faultChance.choose(faults.filter { !$0.isContinuous })
  }

  /// - Returns: false when there was nobody to whom it could happen.
  private func strike(_ kind: FaultKind) -> Bool {
    switch kind {
    case .partition, .oneWayPartition, .coordinatorPartition, .isolation, .flapping, .clog,
      .brokenConnection:
      return strikeNetwork(kind)
    case .crash, .crashLosingDisk, .hostLost, .pause, .slowness, .hang, .drain, .join, .cordon:
      return strikeWorker(kind)
    case .coordinatorCrash, .coordinatorPowerLoss, .coordinatorPause, .storeStall, .journalFailure:
      return strikeCoordinator(kind)
    case .diskFull, .diskError, .failedSync, .bitFlip: return strikeDisk(kind)
    case .blackout: return blackOut()
    case .missedTable: return missTable()
    case .resets: return resetAll()
    case .loss, .duplication, .reordering, .longDelays, .corruption, .tornWrite: return false
    }
  }

  private func duration(_ low: Int, _ high: Int) -> Int {
    faultChance.logarithmic(low, high) * Time.millisecond
  }

  private func end(_ end: FaultEnd, after delay: Int) {
    queue.add(.endOfFault(end), at: now + delay)
  }

  private func drawWorker() -> WorkerProcess? {
    faultChance.choose(workers.filter { $0.isAlive && !$0.isPaused })
  }

  func restartDelay() -> Int { faultChance.logarithmic(50, 4_000) * Time.millisecond }

  // MARK: Workers

  private func strikeWorker(_ kind: FaultKind) -> Bool {
    if kind == .join {
      guard lineageCount < options.workers + 2 else { return false }
      lineageCount += 1
      startWorker(lineageCount - 1, keepsDisk: true)
      return true
    }
    guard let worker = drawWorker() else { return false }
    switch kind {
    case .crash, .crashLosingDisk:
      // Where writes tear, it dies in one.
      if faults.contains(.tornWrite), worker.writing != nil {
        crash(
          worker, restartAfter: restartDelay(), keepsDisk: kind == .crash, isSilent: false)
        return true
      }
      worker.crashCountdown = faultChance.below(24)
      worker.keepsDisk = kind == .crash
    case .hostLost:
      crash(worker, restartAfter: duration(500, 8_000), keepsDisk: false, isSilent: true)
    case .pause:
      worker.isPaused = true
      end(.resume(worker.index), after: duration(100, 6_000))
    case .slowness:
      worker.slowness = faultChance.logarithmic(2, 50)
      end(.speed(worker.index), after: duration(500, 8_000))
    case .hang:
      worker.isHung = true
      end(.unhang(worker.index), after: duration(500, 12_000))
    case .drain:
      if faultChance.below(2) == 0 {
        client.draining = worker.name
      } else {
        tell(worker, .end)
      }
    case .cordon:
      client.cordoned = worker.name
      client.lifted.removeAll { $0 == worker.name }
      end(.liftCordon(worker.name), after: duration(500, 8_000))
    default: return false
    }
    return true
  }

  // MARK: The coordinator

  private func strikeCoordinator(_ kind: FaultKind) -> Bool {
    guard let coordinator, !coordinator.isPaused else { return false }
    switch kind {
    case .coordinatorCrash, .coordinatorPowerLoss:
      coordinator.crashCountdown = faultChance.below(16)
      coordinator.losesPower = kind == .coordinatorPowerLoss
    case .coordinatorPause:
      coordinator.isPaused = true
      coordinator.isDeaf = faultChance.below(2) == 0
      end(.resumeCoordinator, after: duration(150, 4_000))
    case .storeStall:
      coordinator.isStalled = true
      end(.unstall, after: duration(200, 3_000))
    case .journalFailure:
      journal.isFailing = true
      end(.healJournal, after: duration(200, 3_000))
    default: return false
    }
    return true
  }

  // MARK: The network

  private func strikeNetwork(_ kind: FaultKind) -> Bool {
    guard let worker = drawWorker() else { return false }
    let others = workers.filter { $0.isAlive && $0.index != worker.index }.map(\.node)
    let peer = faultChance.choose(others)
    let time = duration(200, 6_000)
    switch kind {
    case .partition:
      guard let peer else { return false }
      block([(worker.node, peer), (peer, worker.node)], for: time)
    case .oneWayPartition:
      guard let peer = faultChance.choose(others + [.coordinator]) else { return false }
      block([faultChance.below(2) == 0 ? (worker.node, peer) : (peer, worker.node)], for: time)
    case .coordinatorPartition:
      block([(worker.node, .coordinator), (.coordinator, worker.node)], for: time)
    case .isolation:
      block(
        (others + [.coordinator]).flatMap { [(worker.node, $0), ($0, worker.node)] }, for: time)
    case .flapping:
      let peer = faultChance.choose(others + [.coordinator]) ?? .coordinator
      for turn in 0..<4 {
        let at = now + turn * 500 * Time.millisecond
        queue.add(.endOfFault(.block(from: worker.node, to: peer)), at: at)
        queue.add(
          .endOfFault(.unblock(from: worker.node, to: peer)), at: at + 250 * Time.millisecond)
      }
    case .clog:
      let peer = faultChance.choose(others + [.coordinator]) ?? .coordinator
      conditions.clog(worker.node, peer, until: now + time)
      if faultChance.below(2) == 0 { conditions.clog(peer, worker.node, until: now + time) }
    case .brokenConnection:
      guard let number = faultChance.choose(connections.indices.filter { connections[$0].isOpen })
      else { return false }
      close(number)
    default: return false
    }
    return true
  }

  private func block(_ pairs: [(Node, Node)], for time: Int) {
    for (from, to) in pairs {
      conditions.block(from, to)
      end(.unblock(from: from, to: to), after: time)
    }
  }

  // MARK: Several things at once

  /// All workers die. Disks that were writing may have damaged what they wrote last.
  private func blackOut() -> Bool {
    let victims = workers.filter(\.isAlive)
    let isDamaging = options.hasSlots && faultChance.below(2) == 0
    for worker in victims {
      if isDamaging { worker.slots.flipBits() }
      crash(worker, restartAfter: restartDelay(), keepsDisk: true, isSilent: false)
    }
    return !victims.isEmpty
  }

  /// A worker from another machine becomes everybody's holder and dies, so that the holders before it
  /// are holders again. Only one of them hears of it in between, and has dropped its copies; owners
  /// that hear of it at the end don't know.
  private func missTable() -> Bool {
    guard ledger.latest != nil, lineageCount < options.workers + 2, let holder = drawWorker() else {
      return false
    }
    let owners = workers.filter { $0.isAlive && $0.index != holder.index }
    lineageCount += 1
    startWorker(lineageCount - 1, keepsDisk: true)
    let life = 2 * options.timing.commit + 6 * options.network.delay + duration(10, 80)
    queue.add(.endOfFault(.die(workers.count - 1)), at: now + life)
    block(owners.map { (.coordinator, $0.node) }, for: life + duration(50, 150))
    return true
  }

  /// All connections break every 0.3 s or so for up to six seconds, as where an address moves or a
  /// firewall forgets its connections. Processes live, and connect again at once.
  private func resetAll() -> Bool {
    let interval = duration(50, 600)
    for turn in 0..<max(1, duration(1_000, 6_000) / interval) {
      queue.add(.endOfFault(.reset), at: now + turn * interval)
    }
    return workers.contains(where: \.isAlive)
  }

  // MARK: Disks

  private func strikeDisk(_ kind: FaultKind) -> Bool {
    guard options.hasSlots, let worker = drawWorker() else { return false }
    switch kind {
    case .diskFull:
      worker.slots.isFull = true
      end(.healDisk(worker.index), after: duration(500, 8_000))
    case .diskError:
      worker.slots.hasErrors = true
      end(.healDisk(worker.index), after: duration(500, 8_000))
    case .failedSync: worker.slots.failsNextSync = true
    case .bitFlip:
      worker.slots.flipBits()
      worker.slots.isRotting = true
      end(.healDisk(worker.index), after: duration(500, 8_000))
    default: return false
    }
    return true
  }
}
