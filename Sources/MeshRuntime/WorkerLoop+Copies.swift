internal import CheckpointFiles
internal import FoldEngine
internal import MeshCore
internal import MeshWire
internal import ZeroMQ

/// Copies and checkpoints of this worker's ranks, copies of others', and state to go on from.
extension WorkerLoop {
  func copy(_ effect: CopyEffect, _ job: WorkerJob) {
    switch effect {
    case .snapshot(let vrank, let epoch, let next, let first):
      snapshot(vrank, epoch, next: next, first: first, job)
    case .sendCopy(let header, let source): send(header, to: source, job)
    case .persist(let vrank, let epoch, let slot, let next, let first, let tiles):
      precondition(tiles.isEmpty, "checkpoints have no tiles")
      persist(vrank, epoch, slot: slot, next: next, first: first, job)
    case .dropSnapshot: dropSnapshot(job)
    }
  }

  /// Copies of others' ranks. Also without a job: whoever hears nothing from a worker that hasn't begun waits
  /// for long.
  func hold(_ effect: HeldEffect) {
    switch effect {
    case .keepCopy(let header, let payload):
      Failpoint.pass("keep-copy")
      if let frame = arrivals[payload] { job?.copies.keep(frame, header) }
    case .completeCopy(let vrank, let first, let tiles):
      job?.copies.complete(vrank, first: first, tiles: tiles)
    case .dropPartialCopy(let vrank): job?.copies.dropPartial(vrank)
    case .dropCopy(let vrank): job?.copies.drop(vrank)
    case .serveCopy(let header, let link):
      guard let frame = job?.copies.frame(header) else { return }
      sendToPeer(.statePart(header), frame, link, for: .copies)
    case .receipt(let receipt, let link): sendToPeer(.copyReceipt(receipt), nil, link, for: .copies)
    case .stateAnswer(let answer, let link):
      sendToPeer(.stateAnswer(answer), nil, link, for: .copies)
    }
  }

  func restore(_ effect: RestoreEffect, _ job: WorkerJob) {
    switch effect {
    case .restoreHeld(let vrank, let epoch): restoreHeld(vrank, epoch, job)
    case .restoreSlot(let vrank, let epoch): restoreSlot(vrank, epoch, job)
    case .endLoad(let vrank, _): job.loads[vrank]?.close()
    case .pullState(let pull, let source): ask(pull, of: source, job)
    case .loadState(let header, let payload): load(header, payload, job)
    }
  }

  // MARK: Own ranks

  private func snapshot(
    _ vrank: VRank, _ epoch: Epoch, next: Int, first: Int, _ job: WorkerJob
  ) {
    Failpoint.pass("snapshot")
    guard let state = job.engine.state(of: vrank) else { return }
    let snapshot = StateSnapshot(
      state, job: job, epoch: epoch, next: next, first: first, reusing: job.takeSpareMemory())
    job.snapshot = snapshot
    let (id, notices) = (job.id, notices)
    pool.submit(snapshot) { cost in
      // The bytes cross memory about twice more on their way to another worker.
      _ = notices.post(
        .done(id, .snapshotTaken(vrank, epoch, next: next, cost: cost * 3)))
    }
  }

  private func send(_ header: CopyHeader, to source: Worker.Source, _ job: WorkerJob) {
    Failpoint.pass("send-copy")
    if let tile = header.tile {
      guard let frame = job.shelf.part(header.part, of: tile) else { return }
      return send(.copy(header), frame, to: source, for: .copies)
    }
    guard let snapshot = job.snapshot, snapshot.vrank == header.vrank else { return }
    let frame = StoredFrame(snapshot.frame(of: header.message))
    send(.copy(header), frame, to: source, for: .copies)
  }

  private func dropSnapshot(_ job: WorkerJob) {
    if let snapshot = job.snapshot { job.spareMemory = snapshot.takeMemory() }
    job.snapshot = nil
  }

  private func persist(
    _ vrank: VRank, _ epoch: Epoch, slot: Int, next: Int, first: Int, _ job: WorkerJob
  ) {
    guard let snapshot = job.snapshot, let checkpoints = job.checkpoints else { return }
    let (id, notices) = (job.id, notices)
    disk.run {
      let start = threadTime()
      do throws(CheckpointError) {
        try checkpoints.write(snapshot, slot: slot, next: next, first: first)
        let cost = Duration.nanoseconds(threadTime() - start)
        _ = notices.post(
          .done(id, .persisted(vrank, epoch, slot: slot, next: next, cost: cost)))
      } catch {
        _ = notices.post(.done(id, .persistFailed(vrank, epoch, reason: "\(error)")))
        return
      }
      do throws(CheckpointError) {
        try checkpoints.removeOlder(vrank)
      } catch {
        // The state is on disk all the same.
        _ = notices.post(.alarm(id, vrank, reason: "an old checkpoint stays: \(error)"))
      }
    }
  }

  func checkpoints(for job: WorkerJob) -> CheckpointWriter? {
    guard let directory = configuration.checkpoints, job.assignment.isProtected else { return nil }
    return CheckpointWriter(directory, job: job, numerics: core.hello.numerics)
  }

  /// What jobs before this one left: of workers that were killed or relieved while they had checkpoints
  /// nobody else may be there to remove them. What can't be removed is tried with the next job.
  func removeCheckpoints(before assignment: Assignment) {
    guard let directory = configuration.checkpoints else { return }
    disk.run { try? directory.remove(olderThan: assignment.revision, except: assignment.job) }
  }

  func removeCheckpoints(of vrank: VRank, _ job: WorkerJob) {
    guard let checkpoints = job.checkpoints else { return }
    disk.run { checkpoints.remove(vrank) }
  }

  // MARK: State to go on from

  private func ask(_ pull: StatePull, of source: Worker.Source, _ job: WorkerJob) {
    Failpoint.pass("pull-state")
    send(.statePull(pull), nil, to: source, for: .copies)
  }

  private func load(_ header: CopyHeader, _ payload: Payload, _ job: WorkerJob) {
    Failpoint.pass("load-state")
    guard let frame = arrivals[payload] else { return }
    if let tile = header.tile { return job.shelf.add(frame, part: header.part, to: tile) }
    guard let state = job.engine.state(of: header.vrank) else { return }
    state.load(frame, message: header.message)
  }

  private func restoreHeld(_ vrank: VRank, _ epoch: Epoch, _ job: WorkerJob) {
    Failpoint.pass("restore-held")
    let next = core.run?.heldCopies.first { $0.vrank == vrank }?.next
    guard let copy = job.copies.whole(vrank), let state = job.engine.state(of: vrank), let next,
      copy.frames.count == state.messageCount
    else { return perform(.restored(vrank, epoch, nil), of: job.id) }
    let tiles = job.copies.tiles(of: vrank)
    for tile in tiles { memory.free(job.shelf.set(tile)) }
    let (id, notices, names) = (job.id, notices, tiles.map(\.id))
    memory.run {
      for (message, frame) in copy.frames.enumerated() { state.load(frame, message: message) }
      let restored = WorkerMessage.Restored(tier: .memory, next: next)
      _ = notices.post(.done(id, .restored(vrank, epoch, restored, names)))
    }
  }

  private func restoreSlot(_ vrank: VRank, _ epoch: Epoch, _ job: WorkerJob) {
    Failpoint.pass("restore-slot")
    guard let checkpoints = job.checkpoints, let state = job.engine.state(of: vrank) else {
      return perform(.restored(vrank, epoch, nil), of: job.id)
    }
    let (id, notices) = (job.id, notices)
    let gate = LoadGate()
    job.loads[vrank] = gate
    disk.run {
      Failpoint.pass("read-slot")
      let restored = checkpoints.read(into: state, through: gate) { reason in
        _ = notices.post(.alarm(id, vrank, reason: reason))
      }
      _ = notices.post(.done(id, .restored(vrank, epoch, restored)))
    }
  }
}

extension RankState {
  /// Loads a message of a copy that was decoded and verified when it came.
  func load(_ frame: StoredFrame, message: Int) {
    frame.withUnsafeBytes { bytes in
      guard let found = try? PayloadFrame<SoftmaxState>(decoding: bytes) else { return }
      write(message, from: found.payload(in: bytes))
    }
  }
}
