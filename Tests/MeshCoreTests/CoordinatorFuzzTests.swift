import Checksums
import MeshCore
import Testing

/// Events of all kinds, in no order, about jobs and workers that exist or don't.
@Suite struct CoordinatorFuzzTests {
  @Test("two hundred thousand random events: no trap, one job at a time, ends are final")
  func randomEvents() {
    var kinds: Set<Observation.Kind> = []
    for seed in UInt64(1)...8 {
      var fuzz = Fuzz(seed: seed)
      for step in 0..<25_000 {
        fuzz.step()
        if step % 50 == 0 {
          let problem = fuzz.table ?? fuzz.problem()
          #expect(problem == nil, "seed \(seed), step \(step)")
          if problem != nil { return }
        }
      }
      kinds.formUnion(fuzz.mesh.observed.map(\.kind))
    }
    // The walks must have been somewhere.
    let wanted: [Observation.Kind] = [
      .jobDone, .jobFailed, .jobCancelled, .workerLost, .jobDiscarded, .rehosted, .handOver,
      .restored, .coordinatorRestarted, .storeAlarm, .workerDraining,
    ]
    let missing = wanted.filter { !kinds.contains($0) }.map(\.name)
    #expect(missing.isEmpty)
  }
}

private struct Fuzz {
  let mesh = CoordinatorHarness(quota: 1 << 24, retention: .seconds(30))
  private var random: SplitMix64
  private var jobs = [JobID(high: 0, low: 0)]
  private var tables: [Assignment] = []
  private var ended: [JobID: JobState] = [:]
  private var term: UInt64 = 3
  /// How often each worker was started again.
  private var starts = [UInt64](repeating: 0, count: 8)
  /// What is wrong with a table that left.
  private(set) var table: String?

  init(seed: UInt64) { random = SplitMix64(seed: seed) }

  /// Also far from anything that is there.
  private mutating func number(_ usual: Int) -> Int {
    random.below(10) > 0
      ? random.below(usual) : [Int.min, -1, Int.max, usual, 1 << 40][random.below(5)]
  }

  /// Of one of eight workers the process that runs.
  private mutating func number() -> UInt64 {
    let place = random.below(8)
    return UInt64(place) + 8 * starts[place]
  }

  private mutating func worker() -> WorkerID { WorkerID(incarnation: number()) }

  /// Mostly a recent one.
  private mutating func job() -> JobID {
    random.below(4) > 0
      ? jobs[jobs.count - 1 - random.below(min(4, jobs.count))]
      : jobs[random.below(jobs.count)]
  }

  private mutating func epoch() -> Epoch {
    Epoch(term: UInt64(2 + random.below(3)), counter: random.next() % 50)
  }

  mutating func step() {
    if random.below(100) == 0 { mesh.now += .milliseconds(random.below(3_000)) }
    switch random.below(10) {
    case 0, 1: call()
    case 2, 3: message()
    case 4, 5, 6, 7: store()
    case 8 where random.below(30) == 0: mesh.send(.workerGone(worker(), reason: "cut"))
    case 8 where random.below(60) == 0:
      mesh.send(.processEnded(name: "worker-\(worker().incarnation)", reason: "fuzz"))
    case 8 where random.below(40) == 0: restart()
    case 8: disk()
    default: mesh.send(.tick)
    }
    // One that is told to end mostly does, and is started again.
    for case .send(.refused(.aborted, _), let worker) in mesh.effects where random.below(4) > 0 {
      let place = Int(worker.incarnation % 8)
      if worker.incarnation / 8 == starts[place] { starts[place] += 1 }
    }
    if let table = mesh.assigned {
      if let problem = table.problem { self.table = problem }
      tables.append(table)
    }
  }

  /// Only what is on disk is left.
  private mutating func restart() {
    term += 1
    mesh.restart(term: term)
    // What wasn't on disk may become something else.
    ended = ended.filter { mesh.disk[$0.key]?.state == $0.value }
  }

  /// The disk is slow at times, and fails at times.
  private mutating func disk() {
    switch random.below(12) {
    case 0: mesh.commitsAtOnce = random.below(3) > 0
    case 1: mesh.send(.committed(UInt64(random.below(99))))
    case 2: mesh.send(.commitFailed(UInt64(random.below(99)), reason: "strange"))
    case 3, 4: mesh.failCommit()
    default: mesh.commit()
    }
  }

  private mutating func call() {
    let role = Role.allCases[random.below(4)]
    let id = random.below(5) == 0 ? UInt64(random.below(200)) : nil
    let requests: [CallRequest] = [
      .start(job()), .status(job()), .list(), .cancel(job()), .result(job()), .discard(job()),
      .workers, .events(EventsRequest(after: random.next() >> random.next() % 64, job: job())),
      random.below(4) == 0 ? .drain("w\(random.below(9))") : .list(), .mesh,
      .cordon("w\(random.below(9))", isLifted: random.below(2) == 0),
      random.below(8) == 0 ? .remove(job()) : .list(ListRequest(before: random.below(9), limit: 2)),
    ]
    if random.below(2) == 0 {
      let spec = sampleJob(
        heads: number(3), queries: number(900), keys: number(900), vranks: number(5))
      let deadline = [0, 0, 0, 1e-9, 5, .nan, -1, 1e18][random.below(8)]
      let request = SubmitRequest(
        spec: spec, deadlineSeconds: deadline, isProtected: random.below(5) > 0)
      mesh.call(.submit(request), as: role, client: "c\(random.below(4))", id: id)
      for case .create(let job, _, _) in mesh.commands { jobs.append(job) }
    } else {
      let remaining = Duration.milliseconds(random.below(20_000) - 1_000)
      mesh.call(requests[random.below(requests.count)], as: role, id: id, remaining: remaining)
    }
  }

  private mutating func message() {
    switch random.below(40) {
    case 0: mesh.send(.message(random.below(3) == 0 ? .leaving : .goodbye, from: worker()))
    case 1:
      let reason = WorkerMessage.failed(
        job(), VRank(number(6)), step: number(4), reason: "for some reason")
      mesh.send(.message(reason, from: worker()))
    case 12: mesh.send(.message(.alarm(job(), VRank(number(6)), reason: "full"), from: worker()))
    case 13..<26: report()
    case 2..<12:
      let hello = sampleHello(
        number(), name: "w\(random.below(9))",
        version: random.below(9) == 0 ? number(3) : protocolVersion,
        numerics: random.below(9) == 0 ? "other" : "fma",
        memory: random.below(9) == 0 ? 1 << 20 : .max, machine: "m\(random.below(2))",
        isSpare: random.below(6) == 0)
      mesh.send(.message(.hello(hello), from: hello.worker))
    default:
      let progress = (0..<random.below(4)).map { _ in
        WorkerMessage.Progress(
          vrank: VRank(number(6)), epoch: epoch(), next: number(4), needed: number(4))
      }
      let isLast = random.below(4) == 0
      mesh.beat(
        number(), job: job(), progress: progress, computation: computation(),
        computeSeconds: strange(), isLast: isLast)
    }
  }

  private mutating func strange() -> Double {
    [0, 0.5, 1e3, -1, 1e300, .nan, .infinity, -.infinity][random.below(8)]
  }

  private mutating func computation() -> WorkerMessage.Computation {
    var computation = WorkerMessage.Computation()
    computation.itemsDone = random.next() % 3
    computation.isBusy = random.below(2) == 0
    computation.slowTileSeconds = strange()
    return computation
  }

  /// What a host might really say: progress under its epochs, copies, hand-overs.
  private mutating func report() {
    guard let table = tables.last else { return }
    let worker = number()
    let next = random.below(4)
    let tier = RestoreTier.allCases[random.below(4)]
    let restored = random.below(3) == 0 ? nil : WorkerMessage.Restored(tier: tier, next: next)
    let progress = table.ranks(of: worker).map { rank in
      WorkerMessage.Progress(
        vrank: VRank(rank), epoch: table.hosts[rank].epoch, next: next, needed: number(4),
        copied: number(4), durable: number(4), restored: restored,
        isHandedOver: random.below(3) == 0)
    }
    let held = (0..<random.below(3)).map { _ in
      WorkerMessage.HeldCopy(vrank: VRank(number(6)), epoch: epoch(), next: number(4))
    }
    mesh.beat(
      worker, job: table.job, revision: table.revision, progress: progress, held: held,
      computation: computation(), computeSeconds: strange())
  }

  private mutating func store() {
    // Rarely enough that something befalls a job before it is done.
    if let table = tables.last, random.below(10) == 0 {
      if random.below(4) == 0 {
        let event = StoreEvent.finished(
          table.job, digests: [sampleDigest(1), sampleDigest(2)])
        return _ = mesh.send(.store(event))
      }
      let vrank = random.below(table.hosts.count)
      return _ = mesh.send(.store(.stored(table.job, VRank(vrank), table.hosts[vrank].epoch)))
    }
    let (one, two) = (sampleDigest(1), sampleDigest(2))
    let events: [StoreEvent] = [
      .created(job()), .created(job()), .received(job()), .sealed(job(), sampleInputs),
      .sealed(job(), sampleInputs), .stored(job(), VRank(number(6)), epoch()), .dropped(job()),
      .finished(job(), digests: [one, two]),
      .finished(job(), digests: [one, two]),
    ]
    if random.below(60) == 0 {
      mesh.send(.store(.failed(job(), CallFailure(.internal, "I/O error"))))
    } else {
      mesh.send(.store(events[random.below(events.count)]))
    }
  }

  mutating func problem() -> String? {
    guard case .success(.jobs(let page)) = mesh.call(.list(), as: .viewer) else { return "no list" }
    let list = page.jobs
    let active = list.count { $0.state == .running || $0.state == .finishing }
    // Those whose end isn't on disk yet are told as running.
    if active > 1, mesh.disk.values.count(where: { $0.state.isActive }) > 1 {
      return "\(active) jobs run"
    }
    for summary in list {
      if !(0...summary.total).contains(summary.folded) { return "folded \(summary.folded)" }
      if let end = ended[summary.job], end != summary.state {
        return "\(summary.job) was \(end.name) and is \(summary.state.name)"
      }
      if summary.state.isTerminal { ended[summary.job] = summary.state }
    }
    let last = list.first.flatMap { mesh.status($0.job) }
    return list.isEmpty || last != nil ? nil : "no status"
  }
}

extension JobState {
  fileprivate var isActive: Bool { self == .running || self == .finishing }
}
