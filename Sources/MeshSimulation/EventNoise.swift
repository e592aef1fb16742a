internal import MeshCore

/// Events that make no sense: of another job, of ranks and tiles that there aren't, late, early, twice.
/// A core that is given them has to go on (I17); what it makes of them is thrown away.
struct EventNoise {
  private var chance: Chance
  private let job: JobID
  private let plan: Plan
  private let workers: [WorkerID]

  init(chance: Chance, table: Assignment, plan: Plan) {
    self.chance = chance
    job = table.job
    self.plan = plan
    workers = table.peers.map(\.worker) + [WorkerID(incarnation: 3)]
  }

  /// Gives a copy of a worker's core a few dozen of them.
  ///
  /// - Returns: what it says to copies of others' ranks: a holder refuses those that build upon what it
  ///   hasn't got, and only who has lost its bearings sends such.
  mutating func disturb(_ core: Worker, table: Assignment, at now: Duration) -> [CopyReceipt] {
    var copy = core
    return (0..<32).flatMap { step in
      let event = event(planTag: table.planHash.tag)
      return copy.handle(event, at: now + .milliseconds(100 * step)).compactMap { effect in
        if case .job(_, .held(.receipt(let receipt, _))) = effect { receipt } else { nil }
      }
    }
  }

  private mutating func event(planTag: UInt64) -> Worker.Event {
    let (job, vrank, epoch) = (anyJob(), anyRank(), anyEpoch())
    let (source, link) = (anySource(), Worker.Link(number: UInt64(chance.below(4))))
    let header = anyHeader(planTag, vrank, epoch)
    switch chance.below(26) {
    case 0:
      let pull = anyPull(planTag)
      return .job(pull.job, .pull(pull, from: link))
    case 1: return .linkClosed(link)
    case 13: return .job(header.job, .copy(header, from: link, Payload(number: 0)))
    case 14: return .job(header.job, .badCopy(header, from: link))
    case 15:
      let pull = anyStatePull(planTag)
      return .job(pull.job, .statePull(pull, from: link))
    case 17: return .job(header.job, .statePart(header, from: source, Payload(number: 0)))
    case 18: return .job(header.job, .badStatePart(header, from: source))
    case 24:
      let pull = BlocksPull(job: job, offset: chance.below(64))
      return .blocks(pull, [UInt8](repeating: 0xFF, count: chance.below(64)))
    case 25: return .tick
    case let kind:
      return .job(job, jobEvent(kind, job, vrank, epoch, source, link, header, planTag))
    }
  }

  private mutating func jobEvent(
    _ kind: Int, _ job: JobID, _ vrank: VRank, _ epoch: Epoch, _ source: Worker.Source,
    _ link: Worker.Link, _ header: CopyHeader, _ planTag: UInt64
  ) -> JobEvent {
    switch kind {
    case 2:
      return .answer(
        PullAnswer.allCases[chance.below(PullAnswer.allCases.count)], anyTile(), from: source)
    case 3: return .part(anyTile(), part: chance.below(2), from: source, Payload(number: 0))
    case 4: return .badPart(anyTile(), from: source)
    case 5: return .sourceLost(source)
    case 6: return .folded(vrank, epoch, next: chance.below(24), cost: .milliseconds(3))
    case 7: return .finished(vrank, epoch)
    case 8:
      return .receipt(
        ResultReceipt(
          job: job, vrank: vrank, epoch: epoch, message: chance.below(5) - 1, status: anyStatus()))
    case 9: return .snapshotTaken(vrank, epoch, next: chance.below(24), cost: .zero)
    case 10: return .copyReceipt(header.receipt(anyStatus()), from: source)
    case 11:
      return .persisted(
        vrank, epoch, slot: chance.below(2), next: chance.below(24), cost: .zero)
    case 12: return .persistFailed(vrank, epoch, reason: "noise")
    case 16:
      return .stateAnswer(
        StateAnswer(
          job: job, vrank: vrank, epoch: epoch, next: chance.below(24), count: chance.below(12),
          status: anyStatus()),
        from: source)
    case 19:
      let restored = WorkerMessage.Restored(tier: .slot, next: chance.below(24))
      return .restored(vrank, epoch, chance.below(2) == 0 ? nil : restored, [anyTile()])
    case 20: return .reach(workers[chance.below(workers.count)], chance.below(2) == 0)
    case 21: return .replayed(anyTile())
    case 22:
      return .passQuestion(
        PassQuestion(job: job, planTag: planTag, vrank: vrank, steps: chance.below(60) - 2),
        from: link)
    default:
      return .passAnswer(
        PassAnswer(job: job, vrank: vrank, epoch: epoch, steps: chance.below(60) - 2),
        from: source)
    }
  }

  /// Of a copy, often one that could be.
  private mutating func anyHeader(
    _ planTag: UInt64, _ vrank: VRank, _ epoch: Epoch
  ) -> CopyHeader {
    let isKnown = vrank.index < plan.vrankCount
    let states = isKnown ? plan.messageCount(of: vrank) : chance.below(8)
    let isTile = chance.below(4) == 0
    return CopyHeader(
      job: anyJob(), planTag: chance.below(8) == 0 ? 1 : planTag, vrank: vrank, epoch: epoch,
      next: chance.below(24), first: chance.below(4), message: chance.below(5),
      count: isTile ? chance.below(8) : states, base: chance.below(4),
      released: chance.below(4), tile: isTile ? anyTile() : nil, part: chance.below(3))
  }

  private mutating func anyJob() -> JobID {
    chance.below(8) == 0 ? JobID(high: 1, low: 2) : job
  }

  private mutating func anyRank() -> VRank {
    VRank(chance.below(chance.below(4) == 0 ? 300 : plan.vrankCount))
  }

  private mutating func anyEpoch() -> Epoch {
    Epoch(term: UInt64(1 + chance.below(3)), counter: UInt64(chance.below(24)))
  }

  private mutating func anyTile() -> TileID {
    let tensor = TileTensor.allCases[chance.below(TileTensor.allCases.count)]
    return TileID(tensor, chance.below(chance.below(4) == 0 ? 100_000 : plan.tileCount(tensor)))
  }

  private mutating func anySource() -> Worker.Source {
    chance.below(3) == 0 ? .store : .peer(workers[chance.below(workers.count)])
  }

  private mutating func anyStatus() -> StatusCode {
    chance.below(2) == 0 ? .ok : StatusCode.allCases[chance.below(StatusCode.allCases.count)]
  }

  private mutating func anyPull(_ planTag: UInt64) -> Pull {
    Pull(
      job: anyJob(), planTag: planTag, tile: anyTile(), firstPart: chance.below(3),
      creditBytes: chance.below(1 << 20), worker: workers[chance.below(workers.count)],
      vrank: anyRank(), epoch: anyEpoch())
  }

  private mutating func anyStatePull(_ planTag: UInt64) -> StatePull {
    let first = chance.below(6)
    return StatePull(
      job: anyJob(), planTag: planTag, vrank: anyRank(), epoch: anyEpoch(),
      messages: first..<first + chance.below(1_000))
  }
}

extension Simulation {
  /// Now and then a copy of a core is told nonsense.
  func disturb(_ worker: WorkerProcess) {
    guard options.hasNoise, let job = worker.job, noiseChance.below(16) == 0 else { return }
    let table = job.table
    coverage.add(.path(.noise))
    var noise = EventNoise(chance: noiseChance, table: table, plan: job.plan)
    for receipt in noise.disturb(worker.core, table: table, at: clock)
    where receipt.status == .notFound {
      coverage.note(receipt)
    }
    _ = noiseChance.bits()
  }
}
