internal import Checksums
internal import MeshCore

/// The coordinator's store: serves tiles, takes results under the rules of `ResultIntake`, and tells
/// the core only what is synced.
extension Simulation {
  func perform(_ work: StoreWork, in coordinator: CoordinatorProcess) {
    if coordinator.isPaused {
      coordinator.backlog.append(.store(term: coordinator.term, work))
      return
    }
    if coordinator.isStalled {
      coordinator.stalled.append(work)
      return
    }
    switch work {
    case .command(let command): perform(command, in: coordinator)
    case .event(let event): tell(coordinator, .store(event))
    case .verified(let vrank, let epoch, let payloads):
      verified(vrank, epoch, payloads, in: coordinator)
    case .finished:
      guard let files else { return }
      var tensors = job.inputs
      files.copy(into: &tensors)
      tell(
        coordinator,
        .store(
          .finished(
            files.job, digests: tensors.results.map { SHA256.hash($0) })))
    }
  }

  private func perform(_ command: StoreCommand, in coordinator: CoordinatorProcess) {
    switch command {
    case .create(let id, _, _): later(.event(.created(id)), in: coordinator)
    case .reopen: break
    case .seal(let id):
      later(.event(.sealed(id, job.digests, blocks: job.blocks)), in: coordinator)
    case .begin(let table, let plan, let isFinal):
      coordinator.intake = ResultIntake(
        tenures: table.tenures, isFinal: isFinal, defect: options.defect)
      coordinator.plan = plan
      coordinator.planTag = table.planHash.tag
      coordinator.finalConnections = [Int?](repeating: nil, count: plan.vrankCount)
      coordinator.isVerifying = [Bool](repeating: false, count: plan.vrankCount)
      if files?.job != table.job { files = ResultFiles(job: table.job, plan: plan) }
      ledger.storeSaw(table.tenures.map(\.epoch))
    case .fence(let table):
      coordinator.intake?.fence(table.tenures)
      ledger.storeSaw(table.tenures.map(\.epoch))
    case .acknowledge(let id, let vrank, let epoch):
      coordinator.intake?.markFinal(vrank)
      guard coordinator.finalConnections.indices.contains(vrank.index),
        let connection = coordinator.finalConnections[vrank.index]
      else { return }
      receipt(id, vrank, epoch, -1, .ok, on: connection)
    case .finish: later(.finished, in: coordinator)
    case .drop(let id, let keepsResult):
      if !keepsResult {
        coordinator.intake = nil
        later(.event(.dropped(id)), in: coordinator)
      }
    }
  }

  private func later(_ work: StoreWork, in coordinator: CoordinatorProcess) {
    let time = options.timing.sync + diskChance.below(options.timing.sync)
    queue.add(.store(term: coordinator.term, work), at: now + time)
  }

  private func receipt(
    _ id: JobID, _ vrank: VRank, _ epoch: Epoch, _ message: Int, _ status: StatusCode,
    on connection: Int
  ) {
    coverage.note(result: status)
    send(
      .receipt(
        ResultReceipt(job: id, vrank: vrank, epoch: epoch, message: message, status: status)),
      on: connection, isForward: false)
  }

  // MARK: Messages

  func receive(
    _ message: Message, inStoreOf coordinator: CoordinatorProcess, from worker: WorkerProcess,
    on number: Int
  ) {
    switch message {
    case .pull(let pull): serve(pull, coordinator, on: number)
    case .blocksPull(let pull):
      let map = job.inputs[.blockMap]
      guard coordinator.plan != nil, files?.job == pull.job, map.indices.contains(pull.offset)
      else { return }
      // As if messages were small.
      let bytes = Array(map[pull.offset...].prefix(24))
      send(.blocks(pull, bytes, isBad: false), on: number, isForward: false)
    case .result(let vrank, let epoch, let place, let payload, let isBad):
      guard let files else { return }
      let status = take(vrank, epoch, place, payload, isBad: isBad, coordinator)
      receipt(files.job, vrank, epoch, place, status, on: number)
    case .final(let vrank, let epoch, let payloads):
      take(vrank, epoch, payloads: payloads, coordinator, on: number)
    default: preconditionFailure("not for the store")
    }
  }

  private func serve(_ pull: Pull, _ coordinator: CoordinatorProcess, on number: Int) {
    func answer(_ answer: PullAnswer) {
      send(.answer(answer, pull.job, pull.tile), on: number, isForward: false)
    }
    guard let plan = coordinator.plan, coordinator.planTag == pull.planTag,
      files?.job == pull.job
    else { return answer(.no) }
    guard coordinator.intake?.admits(pull.epoch, for: pull.vrank) == true else {
      coverage.add(.refusal(.stalePullAtStore))
      return answer(.stale)
    }
    ledger.storeTakes(pull.epoch, pull.vrank, "a pull")
    answer(.have)
    var credit = pull.creditBytes
    for part in max(0, pull.firstPart)..<max(0, pull.firstPart, plan.partCount(pull.tile.tensor)) {
      credit -= plan.payloadBytes(of: pull.tile, part: part)
      guard credit >= 0 else { return }
      send(
        .part(pull.job, pull.tile, part: part, payload: nil, isBad: false), on: number,
        isForward: false)
    }
  }

  // MARK: Results

  private func take(
    _ vrank: VRank, _ epoch: Epoch, _ message: Int, _ payload: [UInt8], isBad: Bool,
    _ coordinator: CoordinatorProcess
  ) -> StatusCode {
    guard coordinator.intake?.tenures.indices.contains(vrank.index) == true else {
      return .notFound
    }
    guard coordinator.intake?.admits(epoch, for: vrank) == true else { return .failedPrecondition }
    // What is final doesn't change any more.
    if coordinator.intake?.isFinal[vrank.index] == true { return .ok }
    if isBad { return .dataLoss }
    ledger.storeTakes(epoch, vrank, "a result")
    files?.write(payload, vrank, message: message)
    return .ok
  }

  private func take(
    _ vrank: VRank, _ epoch: Epoch, payloads: [[UInt8]], _ coordinator: CoordinatorProcess,
    on number: Int
  ) {
    guard let files, let intake = coordinator.intake, intake.tenures.indices.contains(vrank.index)
    else { return }
    guard coordinator.intake?.admits(epoch, for: vrank) == true else {
      return receipt(files.job, vrank, epoch, -1, .failedPrecondition, on: number)
    }
    ledger.storeTakes(epoch, vrank, "the end of a result")
    coordinator.finalConnections[vrank.index] = number
    if intake.isFinal[vrank.index] {
      return receipt(files.job, vrank, epoch, -1, .ok, on: number)
    }
    guard !coordinator.isVerifying[vrank.index] else { return }
    coordinator.isVerifying[vrank.index] = true
    if options.defect == .finalBeforeSync {
      tell(coordinator, .store(.stored(files.job, vrank, epoch)))
    }
    later(.verified(vrank, epoch, payloads: payloads), in: coordinator)
  }

  private func verified(
    _ vrank: VRank, _ epoch: Epoch, _ payloads: [[UInt8]], in coordinator: CoordinatorProcess
  ) {
    guard let files, coordinator.isVerifying.indices.contains(vrank.index) else { return }
    coordinator.isVerifying[vrank.index] = false
    guard files.written[vrank.index].elementsEqual(payloads, by: { $0 == $1 }) else {
      if let connection = coordinator.finalConnections[vrank.index] {
        receipt(files.job, vrank, epoch, -1, .dataLoss, on: connection)
      }
      return
    }
    self.files?.sync()
    tell(coordinator, .store(.stored(files.job, vrank, epoch)))
  }
}
