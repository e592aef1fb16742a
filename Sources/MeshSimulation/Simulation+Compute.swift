internal import FoldEngine
internal import MeshCore

/// The compute threads of a worker: one piece of work at a time, in order, with real arithmetic.
extension Simulation {
  func compute(_ effect: StepEffect, by worker: WorkerProcess, _ job: WorkerJobState) {
    switch effect {
    case .host(let vrank, let epoch):
      job.engine.host(vrank)
      job.ranks[vrank.index] = SimulatedRank(vrank: vrank, epoch: epoch, plan: job.plan)
    case .fold(let vrank, let epoch, let steps):
      guard let rank = job.rank(vrank, epoch) else { return missing(vrank, worker) }
      add(.fold(job.id, steps, job.engine.run(steps, of: vrank), rank), worker)
    case .replay(let tile): add(.replay(job.id, tile, job.engine.replay(tile)), worker)
    case .finish(let vrank, let epoch):
      guard let rank = job.rank(vrank, epoch) else { return missing(vrank, worker) }
      let kept = job.plan.job.isBackward ? job.plan.steps(of: vrank).kept : []
      let result = job.engine.finish(vrank, kept: kept.flatMap { job.shelf[$0] ?? [] })
      job.results[vrank.index] = result
      add(.finish(job.id, result, rank), worker)
    case .retire(let vrank, let epoch):
      abandon(vrank, job)
      remove(.of(vrank, upTo: epoch), by: worker)
    case .abandon(let vrank, _): abandon(vrank, job)
    }
  }

  /// Copies a rank's state behind the folds asked for so far.
  func snapshot(
    _ vrank: VRank, _ epoch: Epoch, next: Int, first: Int, by worker: WorkerProcess,
    _ job: WorkerJobState
  ) {
    guard let rank = job.rank(vrank, epoch), let state = job.engine.state(of: vrank) else {
      return missing(vrank, worker)
    }
    add(.snapshot(job.id, rank, state, next: next, first: first), worker)
  }

  private func abandon(_ vrank: VRank, _ job: WorkerJobState) {
    job.engine.retire(vrank)
    job.ranks[vrank.index] = nil
    job.results[vrank.index] = nil
  }

  private func add(_ work: ComputeWork, _ worker: WorkerProcess) {
    worker.work.append(work)
    if worker.work.count == 1 { begin(work, worker) }
  }

  private func missing(_ vrank: VRank, _ worker: WorkerProcess) {
    ledger.fail(.exactTiles, "\(worker.name) computes rank \(vrank), which it doesn't host")
  }

  private func begin(_ work: ComputeWork, _ worker: WorkerProcess) {
    worker.workStarted = now
    worker.workNumber += 1
    let end = now + cost(of: work) * worker.slowness
    queue.add(.computed(worker.index, number: worker.workNumber), at: end)
  }

  private func cost(of work: ComputeWork) -> Int {
    switch work {
    case .fold(_, let steps, _, _): options.timing.tile * steps.count
    case .replay: options.timing.tile
    case .finish: options.timing.copy
    case .snapshot: options.timing.copy
    }
  }

  /// The first piece of work is done, unless the process was stopped or hangs.
  func computed(_ worker: WorkerProcess, number: Int) {
    // Work that a release took away may have left its end behind.
    guard worker.isAlive, !worker.work.isEmpty, number == worker.workNumber else { return }
    if worker.isPaused {
      worker.backlog.append(.computed(worker.index, number: number))
      return
    }
    if worker.isHung {
      worker.hasStalledWork = true
      return
    }
    let work = worker.work.removeFirst()
    worker.itemsDone += 1
    let cost = Duration.nanoseconds(now - worker.workStarted)
    if let next = worker.work.first { begin(next, worker) }
    finish(work, worker, cost: cost)
  }

  private func finish(_ work: ComputeWork, _ worker: WorkerProcess, cost: Duration) {
    switch work {
    case .fold(let job, let steps, let run, let rank):
      worker.computed += Int(cost / .nanoseconds(1))
      let publications = run()
      ledger.folded(steps, into: rank, by: worker)
      // Of a rank that is another's by now nothing is kept.
      if worker.job?.rank(rank.vrank, rank.epoch) === rank { publish(publications, by: worker) }
      tell(worker, job, .folded(rank.vrank, rank.epoch, next: steps.upperBound, cost: cost))
    case .replay(let job, let tile, let replay):
      coverage.add(.path(.replayed))
      publish(replay(), by: worker)
      tell(worker, job, .replayed(tile))
    case .finish(let job, let result, let rank):
      result.compute()
      ledger.finished(rank, by: worker)
      tell(worker, job, .finished(rank.vrank, rank.epoch))
    case .snapshot(let job, let rank, let state, let next, let first):
      var messages = [StateMessage?](repeating: nil, count: state.messageCount)
      for message in first..<state.messageCount {
        messages[message] = StateMessage(
          payload: state.read(message), next: next, epoch: rank.epoch,
          folded: rank.folded[message])
      }
      ledger.snapshotTaken(messages, of: rank, next: next, by: worker)
      worker.job?.snapshot = SimulatedSnapshot(vrank: rank.vrank, messages: messages)
      tell(worker, job, .snapshotTaken(rank.vrank, rank.epoch, next: next, cost: cost))
    }
  }

  private func publish(_ publications: [SimulatedTile], by worker: WorkerProcess) {
    for publication in publications {
      ledger.published(publication, by: worker)
      worker.job?.shelf[publication.tile] = publication.parts
    }
  }
}
