import Checksums
import MeshCore
import Testing

/// Events of all kinds, in no order, about jobs, ranks and tiles that exist or don't.
@Suite struct WorkerFuzzTests {
  @Test(
    "a hundred thousand random events: no trap, folds ascend, epochs and progress only grow",
    arguments: 1...4)
  func randomEvents(seed: Int) {
    var fuzz = WorkerFuzz(seed: UInt64(seed))
    // Longer where some rare corner is still missing.
    for step in 0..<100_000 where step < 25_000 || !fuzz.missing.isEmpty {
      fuzz.step()
      if let problem = fuzz.problem {
        Issue.record("seed \(seed), step \(step): \(problem)")
        return
      }
    }
    // The walk must have been somewhere.
    let missing = fuzz.missing
    #expect(missing.isEmpty, "seed \(seed) never saw \(missing)")
  }
}

private struct WorkerFuzz {
  var worker: WorkerHarness
  private(set) var problem: String?
  private var random: SplitMix64
  private let plans: [Plan]
  private let hasSlots: Bool
  private var counter: UInt64 = 10
  private var requests: [JobEffect] = []
  /// The next tile of each rank under each epoch, by what was folded.
  private var folded: [Epoch: Int] = [:]
  private var epochs: [VRank: Epoch] = [:]
  private var job = JobID(high: 1, low: 1)
  private var seen: Set<String> = []
  private var snapshots = 0

  init(seed: UInt64) {
    random = SplitMix64(seed: seed)
    hasSlots = seed % 2 == 0
    worker = WorkerHarness(hasSlots: hasSlots)
    plans = [
      Plan(job: sampleJob(queries: 700, keys: 2_600), vrankCount: 4),
      Plan(job: sampleJob(queries: 512, keys: 3_000, mask: .full, layout: .zigzag), vrankCount: 5),
      Plan(
        job: sampleJob(heads: 6, keyHeads: 6, queries: 200, keys: 1_500, dimension: 256),
        vrankCount: 2),
    ]
  }

  /// What a good walk does at least once.
  var missing: [String] {
    [
      "fold", "finish", "sendResult", "retire", "abandon", "snapshot", "sendCopy", "keepCopy",
      "completeCopy", "dropCopy", "serveCopy", "pullState", "loadState", "restoreHeld", "release",
      "serve",
    ].filter { !seen.contains($0) }
  }

  private mutating func chance(_ times: Int) -> Bool { random.below(times) == 0 }

  private mutating func number(_ usual: Int) -> Int {
    chance(12) ? [Int.min, -1, Int.max, usual, 1 << 40][random.below(5)] : random.below(usual)
  }

  private mutating func vrank() -> VRank { VRank(number(5)) }

  private mutating func source() -> Worker.Source {
    chance(3) ? .store : .peer(WorkerID(incarnation: UInt64(random.below(6))))
  }

  private mutating func epoch() -> Epoch {
    if chance(20) { return Epoch(term: random.next() % 3, counter: random.next() % 50) }
    let known = worker.core.run?.assignment.hosts ?? []
    return known.isEmpty ? .lowest : known[random.below(known.count)].epoch
  }

  /// Now and then of another job.
  private mutating func jobID() -> JobID { chance(15) ? JobID(high: 7, low: 7) : job }

  // MARK: Steps

  mutating func step() {
    let before = worker.core.run?.assignment
    let delay = Duration.milliseconds(chance(40) ? random.below(12_000) : random.below(40))
    worker.send(chance(2) ? answer() : event(), after: delay)
    look(before)
    if worker.effects.contains(where: { if case .leave = $0 { true } else { false } }) {
      // The process is gone; another one takes its place.
      worker = WorkerHarness(hasSlots: hasSlots)
      forget()
    }
  }

  private mutating func forget() {
    folded = [:]
    epochs = [:]
    requests = []
    snapshots = 0
    incoming = nil
  }

  /// What the shell, a peer or the store would answer to something that was asked for.
  private mutating func answer() -> Worker.Event {
    guard !requests.isEmpty else { return event() }
    // The compute threads do things in order; the others are in a hurry.
    let place = chance(3) ? random.below(requests.count) : 0
    let request = requests.remove(at: place)
    let cost = Duration.microseconds(random.below(2_000))
    return answer(request, cost).map { .job(job, $0) } ?? .tick
  }

  private mutating func answer(_ request: JobEffect, _ cost: Duration) -> JobEvent? {
    switch request {
    case .tile(.pull(let pull, let source)):
      let parts = worker.core.run?.plan.partCount(pull.tile.tensor) ?? 1
      if chance(20) { return .answer(.no, pull.tile, from: source) }
      if pull.firstPart + 1 < parts {
        var rest = pull
        rest.firstPart += 1
        requests.append(.tile(.pull(rest, from: source)))
      }
      return .part(pull.tile, part: pull.firstPart, from: source, noBytes)
    case .step(.fold(let vrank, let epoch, let tiles)):
      return .folded(vrank, epoch, next: tiles.upperBound, cost: cost)
    case .step(.finish(let vrank, let epoch)): return .finished(vrank, epoch)
    case .result(.sendResult(let vrank, let epoch, let message)):
      let status: StatusCode = chance(30) ? .dataLoss : .ok
      return .receipt(
        ResultReceipt(job: job, vrank: vrank, epoch: epoch, message: message, status: status))
    case .result(.sendFinal(let vrank, let epoch)):
      return .receipt(
        ResultReceipt(job: job, vrank: vrank, epoch: epoch, message: -1, status: .ok))
    case .copy(.snapshot(let vrank, let epoch, let next, _)):
      return .snapshotTaken(vrank, epoch, next: next, cost: cost)
    case .copy(.sendCopy(let header, let source)):
      let status: StatusCode = chance(15) ? StatusCode.allCases[random.below(17)] : .ok
      return .copyReceipt(header.receipt(status), from: source)
    case .copy(.persist(let vrank, let epoch, let slot, let next, _, _)):
      if chance(10) { return .persistFailed(vrank, epoch, reason: "I/O error") }
      return .persisted(vrank, epoch, slot: slot, next: next, cost: cost)
    case .restore(.pullState(let pull, let source)):
      let next = 1 + random.below(5)
      let messages = worker.core.run?.plan.messageCount(of: pull.vrank) ?? 0
      for message in pull.messages {
        requests.append(
          .held(
            .serveCopy(
              CopyHeader(
                job: pull.job, planTag: pull.planTag, vrank: pull.vrank, epoch: pull.epoch,
                next: next, first: 0, message: message, count: messages), to: link(9))))
      }
      return .stateAnswer(
        pull.answer(next: next, count: messages, chance(8) ? .notFound : .ok), from: source)
    case .held(.serveCopy(let header, _)):
      guard let source = lastStateSource else { return nil }
      return .statePart(header, from: source, noBytes)
    case .restore(.restoreHeld(let vrank, let epoch)),
      .restore(.restoreSlot(let vrank, let epoch)):
      let found = WorkerMessage.Restored(
        tier: RestoreTier.allCases[random.below(3)], next: number(8))
      return .restored(vrank, epoch, chance(3) ? nil : found)
    default: return nil
    }
  }

  private var lastStateSource: Worker.Source?

  private mutating func event() -> Worker.Event {
    switch random.below(16) {
    case 0, 1, 2: return coordinator()
    case 3:
      let pull = pull()
      return .job(pull.job, .pull(pull, from: link(UInt64(random.below(5)))))
    case 4: return chance(4) ? .linkClosed(link(UInt64(random.below(5)))) : .tick
    case 5:
      let header = header()
      return .job(header.job, .copy(header, from: link(UInt64(random.below(5))), noBytes))
    case 6, 7: return copyInOrder()
    case 8:
      let pull = StatePull(
        job: jobID(), planTag: tag(), vrank: vrank(), epoch: epoch(),
        messages: min(0, number(9))..<max(0, number(30)))
      return .job(pull.job, .statePull(pull, from: link(2)))
    case 9: return shell()
    case 10:
      if chance(10) { return .job(jobID(), .sourceLost(source())) }
      // By the clock: what is drawn is as it was.
      let time = UInt64(worker.now / .milliseconds(1))
      return time % 8 == 0
        ? .job(jobID(), .reach(WorkerID(incarnation: time / 8 % 5), time % 3 != 0)) : .tick
    case 11:
      let tile = TileID(chance(3) ? .query : .keyValue, number(12))
      let answer = PullAnswer.allCases[random.below(5)]
      return .job(jobID(), .answer(answer, tile, from: source()))
    case 12:
      let tile = TileID(chance(3) ? .query : .keyValue, number(12))
      return chance(2)
        ? .job(jobID(), .badPart(tile, from: source()))
        : .job(jobID(), .part(tile, part: number(3), from: source(), noBytes))
    case 13:
      let header = header()
      switch random.below(4) {
      case 0: return .job(header.job, .badCopy(header, from: link(1)))
      case 1: return .job(header.job, .badStatePart(header, from: source()))
      case 2: return .job(header.job, .statePart(header, from: source(), noBytes))
      default: return .job(header.job, .copyReceipt(header.receipt(.ok), from: source()))
      }
    default: return .tick
    }
  }

  private mutating func shell() -> Worker.Event {
    let (job, vrank, epoch, next) = (jobID(), vrank(), epoch(), number(12))
    switch random.below(8) {
    case 0: return .job(job, .folded(vrank, epoch, next: next, cost: .milliseconds(1)))
    case 1: return .job(job, .finished(vrank, epoch))
    case 2: return .job(job, .snapshotTaken(vrank, epoch, next: next, cost: .zero))
    case 3: return .job(job, .persistFailed(vrank, epoch, reason: "strange"))
    case 4: return .job(job, .restored(vrank, epoch, nil))
    case 5:
      return .job(
        job,
        .receipt(
          ResultReceipt(
            job: job, vrank: vrank, epoch: epoch, message: number(20),
            status: StatusCode.allCases[random.below(17)])))
    case 6:
      let answer = StateAnswer(
        job: job, vrank: vrank, epoch: epoch, next: next, count: number(12), status: .ok)
      return .job(job, .stateAnswer(answer, from: source()))
    default: return .tick
    }
  }

  // MARK: Messages

  private mutating func tag() -> UInt64 {
    chance(20) ? 5 : worker.core.run?.assignment.planHash.tag ?? 0
  }

  private mutating func pull() -> Pull {
    Pull(
      job: jobID(), planTag: tag(), tile: TileID(chance(9) ? .query : .keyValue, number(12)),
      firstPart: number(3), creditBytes: number(1 << 24), worker: WorkerID(incarnation: 2),
      vrank: vrank(), epoch: epoch())
  }

  private mutating func header() -> CopyHeader {
    CopyHeader(
      job: jobID(), planTag: tag(), vrank: vrank(), epoch: epoch(), next: number(12),
      first: chance(2) ? 0 : number(12), message: number(12), count: number(24))
  }

  /// The next message of a copy that this worker should keep.
  private var incoming: (header: CopyHeader, count: Int)?

  private mutating func copyInOrder() -> Worker.Event {
    if let (header, count) = incoming, header.message + 1 < count {
      var next = header
      next.message += 1
      incoming = (next, count)
      return .job(next.job, .copy(next, from: link(3), noBytes))
    }
    guard let run = worker.core.run,
      let vrank = run.plan.vranks.first(where: {
        run.assignment.holder(of: $0.index) == 1 && (chance(2) || $0 == run.plan.vranks.last)
      })
    else { return .tick }
    var header = header()
    (header.job, header.planTag) = (run.job, run.assignment.planHash.tag)
    (header.vrank, header.epoch) = (vrank, run.assignment.hosts[vrank.index].epoch)
    (header.first, header.message, header.next) = (0, 0, 1 + random.below(run.plan.keyTileCount))
    header.count = run.plan.messageCount(of: vrank)
    incoming = (header, header.count)
    return .job(header.job, .copy(header, from: link(3), noBytes))
  }

  private mutating func coordinator() -> Worker.Event {
    let term = UInt64(2 + random.below(4) / 3)
    switch random.below(30) {
    case 0: return .coordinator(.release(jobID(), isOver: chance(2), term: term))
    case 1: return .coordinator(.introduce(term: term))
    case 2: return .coordinator(.refused(.aborted, reason: "for some reason"))
    case 3: return .coordinator(.leave(term: term))
    case 4...9: return .coordinator(.welcome(term: 3, storeEndpoint: "s"))
    case 10...14: return .coordinator(.beat(term: 3))
    case 15 where chance(30): return .end
    case 16 where chance(30): return .coordinator(.drain(term: term))
    default: return chance(8) ? .coordinator(.assign(table(), term: 3)) : .tick
    }
  }

  /// The table that comes next, mostly: a few ranks move.
  private mutating func table() -> Assignment {
    counter += 100
    let revision = Epoch(
      term: 1, counter: counter - (chance(10) ? min(counter - 1, UInt64(random.below(900))) : 0))
    let hosts = 2 + random.below(3)
    guard let old = worker.core.run?.assignment, !chance(12) else {
      job = JobID(high: 1, low: random.next() % 4)
      let plan = plans[random.below(plans.count)]
      let first = sampleAssignment(
        plan, hosts: plan.vranks.map { _ in random.below(hosts) }, peers: hosts, job: job)
      return first.next(revision: revision) { entries in
        for index in entries.indices { mint(&entries[index], UInt64(index), hosts) }
      }
    }
    return old.next(revision: revision) { entries in
      for index in entries.indices {
        if chance(3) { mint(&entries[index], UInt64(index), old.peers.count) }
        if chance(6) { entries[index].duty = Assignment.Duty.allCases[random.below(3)] }
        if chance(60) { entries[index].sources = [99] }
      }
    }
  }

  private mutating func mint(_ host: inout Assignment.Host, _ index: UInt64, _ peers: Int) {
    host.peer = chance(10) ? nil : chance(2) ? 0 : random.below(peers)
    host.epoch = Epoch(term: 1, counter: counter - 50 + index)
    host.duty = .fold
    host.isFresh = chance(2)
    host.sources = (0..<random.below(3)).map { _ in chance(2) ? 0 : random.below(peers) }
    let holder = random.below(peers)
    host.holder = holder == host.peer ? nil : holder
  }

  // MARK: Looking

  private mutating func look(_ before: Assignment?) {
    if worker.core.run?.job != before?.job { forget() }
    if let run = worker.core.run {
      if before?.job == run.job, let before, run.assignment.revision < before.revision {
        problem = "an older table"
      }
      for rank in run.ranks {
        if let epoch = epochs[rank.vrank], rank.epoch < epoch { problem = "an older epoch" }
        epochs[rank.vrank] = rank.epoch
        if !(0...rank.needed).contains(rank.next) { problem = "next \(rank.next)" }
        if let held = run.assignment.worker(run.assignment.hosts[rank.vrank.index].peer),
          held != WorkerID(incarnation: 1)
        {
          problem = "hosts what is another's"
        }
      }
    }
    for effect in worker.effects { look(effect) }
    if requests.count > 600 { requests.removeFirst(300) }
  }

  private mutating func look(_ effect: Worker.Effect) {
    // The innermost name that isn't that of a value.
    let names = "\(effect)".split(separator: "(").prefix(4).map {
      $0.split(separator: ".").last ?? ""
    }
    seen.formUnion(names.map(String.init))
    switch effect {
    case .job(_, let effect): look(effect)
    case .release: snapshots = 0
    default: break
    }
  }

  private mutating func look(_ effect: JobEffect) {
    switch effect {
    case .step(.fold(_, let epoch, let tiles)):
      if let next = folded[epoch], next != tiles.lowerBound {
        problem = "folds \(tiles) after \(next)"
      }
      if tiles.isEmpty { problem = "folds nothing" }
      folded[epoch] = tiles.upperBound
      requests.append(effect)
    case .copy(.snapshot(_, let epoch, let next, let first)):
      snapshots += 1
      if snapshots > 1 { problem = "\(snapshots) snapshots at a time" }
      if let end = folded[epoch], end != next { problem = "a snapshot at \(next), not \(end)" }
      if first < 0 { problem = "a snapshot from \(first)" }
      requests.append(effect)
    case .copy(.dropSnapshot): snapshots -= 1
    case .restore(.pullState(_, let source)):
      lastStateSource = source
      requests.append(effect)
    case .held(.keepCopy(let header, _)):
      let count = worker.core.run?.plan.messageCount(of: header.vrank) ?? 0
      if !(0..<count).contains(header.message) { problem = "keeps message \(header.message)" }
    case .tile(.pull), .step(.finish), .result, .copy(.sendCopy), .copy(.persist),
      .restore(.restoreHeld), .restore(.restoreSlot):
      requests.append(effect)
    default: break
    }
  }
}
