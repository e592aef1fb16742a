internal import FoldEngine
internal import MeshCore

/// Copies, checkpoints and what is restored from them.
extension Simulation {
  func copy(_ effect: CopyEffect, by worker: WorkerProcess, _ job: WorkerJobState) {
    switch effect {
    case .snapshot(let vrank, let epoch, let next, let first):
      snapshot(vrank, epoch, next: next, first: first, by: worker, job)
    case .sendCopy(let header, let source):
      guard let state = part(of: header, in: job.shelf) ?? job.snapshot?.message(header.message)
      else { return }
      send(.copy(header, state, isBad: false), by: worker, to: source)
    case .persist(let vrank, let epoch, let slot, let next, let first, let tiles):
      persist(vrank, epoch, slot: slot, next: next, first: first, tiles, worker, job)
    case .dropSnapshot: job.snapshot = nil
    }
  }

  func hold(_ effect: HeldEffect, by worker: WorkerProcess) {
    switch effect {
    case .receipt(let receipt, let link):
      coverage.note(receipt)
      send(.copyReceipt(receipt), on: Int(link.number), isForward: false)
    case .stateAnswer(let answer, let link):
      send(.stateAnswer(answer), on: Int(link.number), isForward: false)
    default: if let job = worker.job { hold(effect, by: worker, job) }
    }
  }

  private func hold(_ effect: HeldEffect, by worker: WorkerProcess, _ job: WorkerJobState) {
    switch effect {
    case .keepCopy(let header, let payload):
      if let state = worker.states[payload] { keep(state, header, job) }
    case .completeCopy(let vrank, let first, let tiles):
      complete(vrank, first: first, tiles, worker, job)
    case .dropPartialCopy(let vrank):
      if let count = job.held[vrank.index]?.staged.count {
        job.held[vrank.index]?.staged = [StateMessage?](repeating: nil, count: count)
        job.held[vrank.index]?.stagedTiles = [:]
      }
    case .dropCopy(let vrank): job.held[vrank.index] = nil
    case .serveCopy(let header, let link):
      guard let held = job.held[header.vrank.index],
        let state = part(of: header, in: held.tiles) ?? held.message(header.message)
      else { return }
      send(.statePart(header, state, isBad: false), on: Int(link.number), isForward: false)
    case .receipt, .stateAnswer: break  // Also without a job: above.
    }
  }

  func restore(_ effect: RestoreEffect, by worker: WorkerProcess, _ job: WorkerJobState) {
    switch effect {
    case .pullState(let pull, let source): send(.statePull(pull), by: worker, to: source)
    case .loadState(let header, let payload):
      guard let state = worker.states[payload] else { return }
      if let tile = header.tile {
        job.keep(state.payload, of: tile, part: header.part)
      } else {
        load(state, message: header.message, of: header.vrank, worker, job)
      }
      if header.message + 1 == header.count {
        ledger.restored(header.vrank, next: header.next, by: worker)
      }
    case .restoreHeld(let vrank, let epoch): restoreHeld(vrank, epoch, worker, job)
    case .endLoad(let vrank, let epoch): job.rank(vrank, epoch)?.isLoadEnded = true
    case .restoreSlot(let vrank, let epoch):
      let time = options.timing.slotWrite + processChance.below(options.timing.slotWrite)
      queue.add(.restoreSlot(worker.index, vrank, epoch), at: now + time)
    }
  }

  /// The message of a copy that is a part of a tile.
  private func part(of header: CopyHeader, in tiles: [TileID: [[UInt8]]]) -> StateMessage? {
    guard let tile = header.tile, let parts = tiles[tile], parts.indices.contains(header.part)
    else {
      return nil
    }
    return StateMessage(
      payload: parts[header.part], next: header.next, epoch: header.epoch, folded: 0)
  }

  // MARK: Held copies

  private func keep(_ state: StateMessage, _ header: CopyHeader, _ job: WorkerJobState) {
    let place = header.vrank.index
    var held = job.held[place] ?? HeldState(messageCount: job.plan.messageCount(of: header.vrank))
    if let tile = header.tile {
      let before = (held.stagedTiles[tile] ?? []).prefix(header.part)
      held.stagedTiles[tile] = before + [state.payload]
    } else {
      held.staged[header.message] = state
    }
    held.stagedNext = header.next
    held.stagedEpoch = header.epoch
    job.held[place] = held
  }

  private func complete(
    _ vrank: VRank, first: Int, _ tiles: [TileID], _ worker: WorkerProcess,
    _ job: WorkerJobState
  ) {
    guard var held = job.held[vrank.index] else { return }
    for message in first..<held.whole.count { held.whole[message] = held.staged[message] }
    held.staged = [StateMessage?](repeating: nil, count: held.whole.count)
    let all = held.tiles.merging(held.stagedTiles) { $1 }
    held.tiles = all.filter { tiles.contains($0.key) }
    held.stagedTiles = [:]
    held.since = min(held.since, now)
    held.next = held.stagedNext
    held.epoch = held.stagedEpoch
    job.held[vrank.index] = held
    coverage.add(.path(.copyCompleted))
    if !tiles.isEmpty { coverage.add(.path(.tilesCopied)) }
    ledger.completed(held, of: vrank, by: worker, job.plan)
  }

  private func restoreHeld(
    _ vrank: VRank, _ epoch: Epoch, _ worker: WorkerProcess, _ job: WorkerJobState
  ) {
    var restored: WorkerMessage.Restored?
    var tiles: [TileID] = []
    if let held = job.held[vrank.index], held.next > 0 {
      job.shelf.merge(held.tiles) { $1 }
      tiles = held.tiles.keys.sorted()
      for (message, state) in held.whole.enumerated() {
        if let state { load(state, message: message, of: vrank, worker, job) }
      }
      restored = WorkerMessage.Restored(tier: .memory, next: held.next)
      coverage.add(.path(.restoredFromOwnMemory))
      ledger.restored(vrank, next: held.next, by: worker)
    }
    let event = JobEvent.restored(vrank, epoch, restored, tiles)
    queue.add(.worker(worker.index, .job(job.id, event)), at: now + options.timing.copy)
  }

  private func load(
    _ state: StateMessage, message: Int, of vrank: VRank, _ worker: WorkerProcess,
    _ job: WorkerJobState
  ) {
    guard let target = job.engine.state(of: vrank), let rank = job.ranks[vrank.index] else {
      return
    }
    target.write(message, state.payload)
    rank.folded[message] = state.folded
    ledger.loaded(state, message: message, of: vrank, by: worker, job.plan)
  }

  // MARK: Checkpoints

  private func persist(
    _ vrank: VRank, _ epoch: Epoch, slot: Int, next: Int, first: Int, _ tiles: [TileID],
    _ worker: WorkerProcess, _ job: WorkerJobState
  ) {
    guard let snapshot = job.snapshot, snapshot.vrank == vrank else { return }
    let write = SlotDirectory.Write(
      vrank: vrank, epoch: epoch, slot: slot, next: next, first: first,
      messages: snapshot.messages, tiles: job.shelf.filter { tiles.contains($0.key) },
      isIntoFile: worker.slots.hasFile(of: vrank, epoch, by: worker.index))
    worker.writing = write
    worker.writesUnderWay += 1
    let time = options.timing.slotWrite + diskChance.below(options.timing.slotWrite)
    queue.add(.persisted(worker.index, write, started: now), at: now + time)
  }

  /// A write to a checkpoint slot is over. The disk works on while its process is stopped.
  func persisted(_ worker: WorkerProcess, _ write: SlotDirectory.Write, started: Int) {
    guard worker.isAlive else { return }
    worker.writing = nil
    let known = ledger.slotEpoch(of: write.vrank, in: worker.slots)
    let failure = worker.slots.write(
      write, by: worker.index, checksEpoch: options.defect != .skipEpochCheckAtSlot)
    defer {
      worker.writesUnderWay -= 1
      removeWhatWaits(by: worker)
    }
    guard let job = worker.job else { return }
    let event: JobEvent
    if let failure {
      coverage.note(failure)
      event = .persistFailed(write.vrank, write.epoch, reason: failure.rawValue)
    } else {
      coverage.add(.path(.checkpointWritten))
      ledger.persisted(write, by: worker, highest: known)
      event = .persisted(
        write.vrank, write.epoch, slot: write.slot, next: write.next,
        cost: .nanoseconds(now - started))
    }
    tell(worker, job.id, event)
  }

  func remove(_ removal: SlotRemoval, by worker: WorkerProcess) {
    worker.removals.append(removal)
    removeWhatWaits(by: worker)
  }

  private func removeWhatWaits(by worker: WorkerProcess) {
    guard worker.writesUnderWay == 0 else { return }
    for removal in worker.removals {
      switch removal {
      case .of(let vrank, let epoch): worker.slots.remove(vrank, upTo: epoch)
      case .all: worker.slots.removeAll()
      }
    }
    worker.removals = []
  }

  func restoreSlot(_ worker: WorkerProcess, _ vrank: VRank, _ epoch: Epoch) {
    guard worker.isAlive else { return }
    if worker.isPaused {
      worker.backlog.append(.restoreSlot(worker.index, vrank, epoch))
      return
    }
    guard let job = worker.job, job.rank(vrank, epoch)?.isLoadEnded == false else { return }
    var restored: WorkerMessage.Restored?
    var tiles: [TileID] = []
    if let best = worker.slots.best(of: vrank, upTo: epoch) {
      for (message, state) in best.slot.messages.enumerated() {
        load(state, message: message, of: vrank, worker, job)
      }
      job.shelf.merge(best.slot.tiles) { $1 }
      tiles = best.slot.tiles.keys.sorted()
      let tier = best.isOther ? RestoreTier.otherSlot : .slot
      restored = WorkerMessage.Restored(tier: tier, next: best.slot.next)
      ledger.restored(vrank, next: best.slot.next, by: worker)
    }
    tell(worker, job.id, .restored(vrank, epoch, restored, tiles))
  }
}
