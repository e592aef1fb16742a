internal import MeshCore

/// What goes into and comes out of workers' cores.
extension Ledger {
  func note(_ event: Worker.Event, to worker: WorkerProcess) {
    guard case .job(let id, let event) = event else { return }
    guard let job = worker.job, id == job.id else { return }
    worker.audit.note(event, now: now)
    switch event {
    case .pull(let pull, let link):
      credits[Credit(process: worker.index, link: link, tile: pull.tile), default: 0] +=
        pull.creditBytes
      see(pull.epoch, pull.vrank, worker)
    case .copy(let header, _, _): see(header.epoch, header.vrank, worker)
    case .statePull(let pull, _): see(pull.epoch, pull.vrank, worker)
    default: break
    }
  }

  private func see(_ epoch: Epoch, _ vrank: VRank, _ worker: WorkerProcess) {
    guard seen[worker.index].indices.contains(vrank.index) else { return }
    seen[worker.index][vrank.index] = max(seen[worker.index][vrank.index], epoch)
  }

  private func saw(_ vrank: VRank, _ worker: WorkerProcess) -> Epoch {
    seen[worker.index].indices.contains(vrank.index) ? seen[worker.index][vrank.index] : .lowest
  }

  /// Before an effect is carried out.
  func note(_ effect: Worker.Effect, of worker: WorkerProcess, in simulation: Simulation) {
    worker.audit.note(effect, worker: worker.id, now: now)
    if let breach = worker.audit.breach {
      fail(breach.invariant, "\(worker.name) \(breach.detail)")
    }
    switch effect {
    case .begin(let table, _):
      seen[worker.index] = table.hosts.map(\.epoch)
    case .job(_, let effect): note(effect, of: worker)
    case .beat(let beat): check(beat, worker)
    case .observe(let observation) where observation.kind == .restored:
      if let vrank = observation.vrank { checkLoss(of: vrank, worker, simulation) }
    default: break
    }
  }

  private func note(_ effect: JobEffect, of worker: WorkerProcess) {
    switch effect {
    case .adopt(let table):
      for (rank, host) in table.hosts.enumerated() { see(host.epoch, VRank(rank), worker) }
    case .step(.host(let vrank, let epoch)):
      guard let owner = owners[epoch], owner.vrank == vrank, owner.worker == worker.id else {
        return fail(.oneOwner, "\(worker.name) hosts rank \(vrank) under \(epoch), uncommitted")
      }
    case .held(.keepCopy(let header, _)):
      if header.epoch < saw(header.vrank, worker) {
        fail(
          .staleEpoch,
          "\(worker.name) keeps a copy of rank \(header.vrank) of \(header.epoch) after"
            + " \(saw(header.vrank, worker))")
      }
    case .held(.serveCopy(let header, _)):
      if header.epoch < saw(header.vrank, worker) {
        fail(.staleEpoch, "\(worker.name) gives the state of rank \(header.vrank) to a stale host")
      }
    case .tile(.answer(let answer, let pull, _)):
      if answer == .have || answer == .coming, pull.epoch < saw(pull.vrank, worker) {
        fail(.staleEpoch, "\(worker.name) serves \(pull.tile) to a stale host of \(pull.vrank)")
      }
    case .tile(.serve(let tile, let part, let link)): serve(tile, part, link, worker)
    case .copy(.sendCopy(let header, let source)):
      if source == .peer(worker.id) {
        fail(.copiesApart, "\(worker.name) sends the copy of rank \(header.vrank) to itself")
      }
    default: break
    }
  }

  /// I16: no more is sent on a link than was asked for on it.
  private func serve(_ tile: TileID, _ part: Int, _ link: Worker.Link, _ worker: WorkerProcess) {
    guard let plan = worker.job?.plan else { return }
    let key = Credit(process: worker.index, link: link, tile: tile)
    let left = (credits[key] ?? 0) - plan.payloadBytes(of: tile, part: part)
    credits[key] = left
    if left < 0 { fail(.credit, "\(worker.name) sends part \(part) of \(tile) unasked") }
  }

  /// I5: what a worker says is protected was once whole.
  private func check(_ beat: WorkerMessage.Heartbeat, _ worker: WorkerProcess) {
    for progress in beat.progress {
      let copy = Protected(vrank: progress.vrank, next: progress.copied)
      if progress.copied > 0, !copies.contains(copy) {
        fail(
          .trueCopies,
          "\(worker.name) says that rank \(progress.vrank) is copied at \(progress.copied): it isn't"
        )
      }
      let checkpoint = Protected(vrank: progress.vrank, next: progress.durable)
      if progress.durable > 0, !checkpoints.contains(checkpoint) {
        fail(
          .trueCopies,
          "\(worker.name) says that rank \(progress.vrank) is on disk at \(progress.durable)")
      }
    }
  }

  /// I6: what is folded again was in no memory that is left, as far as messages arrive, and where it
  /// all begins again, on no disk.
  private func checkLoss(of vrank: VRank, _ worker: WorkerProcess, _ simulation: Simulation) {
    guard let rank = worker.core.run?.ranks.first(where: { $0.vrank == vrank }) else { return }
    func lost(_ next: Int, _ place: String) {
      fail(
        .progress,
        "rank \(vrank) goes on at \(rank.next) in \(worker.name), and \(place) has \(next) tiles")
    }
    if rank.next == 0, simulation.options.hasSlots,
      let best = worker.slots.best(of: vrank, upTo: rank.epoch)
    {
      lost(best.slot.next, "a checkpoint")
    }
    guard let since = owners[rank.epoch]?.since, simulation.isSound(since: since) else { return }
    // Nothing is asked of who was found hung and isn't in the table any more.
    for other in simulation.workers where other.isAlive && latest?.peer(of: other.id) != nil {
      // The coordinator has to have heard of it before it gave the rank to another.
      guard let held = other.job?.held[vrank.index], held.next > rank.next,
        held.since < since - 250 * Time.millisecond
      else { continue }
      lost(held.next, other.name)
    }
  }

  /// After a tick was handled: what waits for longer than the core allows has been forgotten.
  func settled(_ worker: WorkerProcess) {
    guard let tile = worker.audit.overdue(at: now) else { return }
    fail(.boundedWaits, "\(worker.name) waits for \(tile) and has forgotten it")
  }
}
