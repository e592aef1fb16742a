/// What is decided is on disk before anybody hears of it. Effects wait, in order, for the commit that
/// holds what they tell; signs of life and answers to questions don't.
struct CommitQueue: Sendable {
  /// Number of the last commit that was asked for, and of the last that is on disk.
  var issued: UInt64 = 0
  private(set) var committed: UInt64 = 0
  /// Jobs in the commit that is under way.
  private(set) var underWay: [JobID] = []
  /// Jobs that changed since.
  private(set) var dirty: [JobID] = []
  private(set) var removed: [JobID] = []
  private var removedUnderWay: [JobID] = []
  private var held: [(after: UInt64, effect: Coordinator.Effect)] = []
  private var heldStart = 0
  /// Not before this: the disk failed.
  private var retryAt: Duration?
  /// The disk failed, and hasn't taken anything since.
  private(set) var isFailing = false
  /// How it failed last.
  private(set) var failure = ""

  private var isUnderWay: Bool { issued > committed && retryAt == nil }

  mutating func change(_ job: JobID) { if !dirty.contains(job) { dirty.append(job) } }
  mutating func remove(_ job: JobID) {
    dirty.removeAll { $0 == job }
    removed.append(job)
  }

  /// Forgets a job of which nothing is on disk, and nothing is to be.
  mutating func forget(_ job: JobID) {
    dirty.removeAll { $0 == job }
    underWay.removeAll { $0 == job }
    held.removeAll { held in
      guard case .store(.create(job, _, client: _)) = held.effect else { return false }
      return true
    }
  }

  /// Whether this commit's end is waited for.
  func awaits(_ number: UInt64) -> Bool { number == issued && number > committed }

  /// Whether everything decided about a job is on disk.
  func isSettled(_ job: JobID) -> Bool { !dirty.contains(job) && !underWay.contains(job) }

  /// The jobs of the next commit, if one may begin now.
  mutating func next(at now: Duration) -> (number: UInt64, jobs: [JobID], removed: [JobID])? {
    // A disk that failed is tried again, also with nothing to say: it may have room by now.
    guard !dirty.isEmpty || !removed.isEmpty || isFailing, !isUnderWay else { return nil }
    if let retryAt, now < retryAt { return nil }
    retryAt = nil
    if issued == committed { issued += 1 }
    underWay = dirty
    removedUnderWay = removed
    defer { (dirty, removed) = ([], []) }
    return (issued, dirty, removed)
  }

  /// The commit after which effects that were decided just now may be carried out; nil for at once.
  var barrier: UInt64? {
    if !dirty.isEmpty || !removed.isEmpty { return isUnderWay ? issued + 1 : committed + 1 }
    return held.count > heldStart ? held.last?.after : nil
  }

  mutating func hold(_ effect: Coordinator.Effect, after number: UInt64) {
    if case .send = effect, held.count - heldStart >= Limits.effectsHeldMaximum { return }
    held.append((number, effect))
  }

  /// A table that waits and is replaced is never told: only the newest one is in the image that goes
  /// to disk.
  mutating func dropTables(overtakenBy newest: Assignment) {
    held.removeAll { newest.overtakes($0.effect) }
  }

  /// - Returns: what may be carried out now.
  mutating func finish(_ number: UInt64) -> [Coordinator.Effect] {
    guard awaits(number) else { return [] }
    committed = number
    underWay = []
    retryAt = nil
    isFailing = false
    var released: [Coordinator.Effect] = []
    while heldStart < held.count, held[heldStart].after <= number {
      released.append(held[heldStart].effect)
      heldStart += 1
    }
    held.removeFirst(heldStart)
    heldStart = 0
    return released
  }

  /// Nothing of it is on disk: its jobs go into the next try, under the same number, and so does all
  /// that changed since: no commit may follow that what was held for it could wait for.
  mutating func fail(_ number: UInt64, reason: String, at now: Duration) {
    guard awaits(number) else { return }
    failure = reason
    for place in held.indices where held[place].after > number { held[place].after = number }
    for job in underWay { change(job) }
    removed = removedUnderWay + removed
    underWay = []
    retryAt = now + Limits.commitRetryInterval
    isFailing = true
  }
}

extension Coordinator {
  /// Marks a job as changed: what is decided in this turn waits for its commit.
  mutating func save(_ index: Int) {
    commits.change(jobs[index].id)
    if let table = jobs[index].run?.table { commits.dropTables(overtakenBy: table) }
  }

  /// Orders the effects of one turn around the commit that they need.
  mutating func settle(_ decided: [Effect], at now: Duration) -> [Effect] {
    let barrier = defect == .announceBeforeCommit ? nil : commits.barrier
    var effects: [Effect] = []
    if let next = commits.next(at: now) {
      let images = next.jobs.compactMap { job in
        self.index(of: job).map { jobs[$0].image(at: now, writtenAt: wallSeconds(at: now)) }
      }
      effects.append(.commit(next.number, images, removing: next.removed))
    }
    let newest = activeIndex.flatMap { jobs[$0].run?.table }
    for effect in decided where newest?.overtakes(effect) != true && !isOfEnded(effect) {
      if let barrier, waits(effect) {
        commits.hold(effect, after: barrier)
      } else {
        effects.append(effect)
      }
    }
    return effects
  }

  /// Whether it tells a table of a job that has ended in the same turn: no commit holds it.
  private func isOfEnded(_ effect: Effect) -> Bool {
    guard case .send(.assign(let table, _), _) = effect else { return false }
    return index(of: table.job).map { jobs[$0].state.isTerminal } ?? true
  }

  /// Whether an effect tells of something that has to be on disk first.
  private func waits(_ effect: Effect) -> Bool {
    switch effect {
    case .observe, .commit: false
    case .send(let message, _):
      switch message {
      case .beat, .welcome, .introduce, .refused, .drain, .cordon: false
      case .assign, .release, .leave: true
      }
    case .reply(_, let ticket): replies.holds(ticket.request)
    case .store: true
    }
  }

  /// A commit is on disk. Ends that are in it are told now, and not before: whoever waits for one asks
  /// for it when its event comes.
  mutating func committed(
    _ number: UInt64, at now: Duration, into effects: inout [Effect]
  ) -> [Effect] {
    let written = commits.awaits(number) ? commits.underWay : []
    let released = commits.finish(number)
    for job in written {
      if let index = index(of: job) { jobs[index].isOnDisk = true }
    }
    for index in jobs.indices where jobs[index].state.isTerminal && !jobs[index].isEndOnDisk {
      let job = jobs[index]
      guard commits.isSettled(job.id) else { continue }
      jobs[index].isEndOnDisk = true
      let kind: Observation.Kind =
        job.state == .done ? .jobDone : job.state == .failed ? .jobFailed : .jobCancelled
      observe(Observation(kind, job: job.id, detail: job.reason), at: now, into: &effects)
    }
    return released
  }

  mutating func commitFailed(
    _ number: UInt64, reason: String, at now: Duration, into effects: inout [Effect]
  ) {
    guard commits.awaits(number) else { return }
    if !commits.isFailing {
      observe(
        Observation(
          .storeAlarm,
          detail: "the coordinator's state can't be written: \(reason); jobs go on, and nothing new"
            + " is taken or decided until it can"),
        at: now, into: &effects)
    }
    commits.fail(number, reason: reason, at: now)
    let untaken = jobs.filter { $0.state == .uploading && !$0.isOnDisk }.map(\.id)
    for job in untaken { withdraw(job, at: now, into: &effects) }
  }

  /// Why nothing that changes something is taken at the moment.
  var unwritable: CallFailure {
    CallFailure(
      .resourceExhausted,
      "the coordinator's state can't be written to its store: \(commits.failure); make room there, or"
        + " mend what is wrong, and try again")
  }

  /// Takes a submit back that isn't on disk: it never was. Its client hears so at once, and nothing of
  /// it waits for a disk that may stay full.
  private mutating func withdraw(
    _ job: JobID, at now: Duration, into effects: inout [Effect]
  ) {
    guard let index = index(of: job) else { return }
    commits.forget(job)
    answer(index, .failure(unwritable), into: &effects)
    jobs.remove(at: index)
    observe(
      Observation(.jobFailed, job: job, detail: "not taken: \(commits.failure)"), at: now,
      into: &effects)
  }
}

extension Assignment {
  /// Whether an effect would tell a table of the same job that this one has replaced.
  fileprivate func overtakes(_ effect: Coordinator.Effect) -> Bool {
    guard case .send(.assign(let table, _), _) = effect else { return false }
    return table.job == job && table.revision < revision
  }
}
