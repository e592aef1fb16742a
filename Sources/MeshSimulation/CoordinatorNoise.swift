internal import Checksums
internal import MeshCore

/// What makes no sense to a coordinator: of jobs, ranks and workers that there aren't, of commits that
/// nobody asked for, late, early, twice. A core that is given it has to go on (I17); what it makes of it
/// is thrown away.
struct CoordinatorNoise {
  private var chance: Chance
  private let table: Assignment?
  private let workers: [WorkerID]

  init(chance: Chance, table: Assignment?) {
    self.chance = chance
    self.table = table
    workers = (table?.peers.map(\.worker) ?? []) + [WorkerID(incarnation: 3)]
  }

  /// Gives a copy of a coordinator's core a few dozen of them.
  ///
  /// - Returns: false when it answers nothing any more.
  mutating func disturb(_ core: Coordinator, at now: Duration) -> Bool {
    var copy = core
    for step in 0..<32 {
      _ = copy.handle(event(), at: now + .milliseconds(100 * step))
    }
    let list = call(.list(), as: .viewer, version: protocolVersion)
    return copy.handle(list, at: now + .seconds(4)).contains {
      if case .reply(.success(.jobs), _) = $0 { true } else { false }
    }
  }

  private mutating func event() -> Coordinator.Event {
    switch chance.below(13) {
    case 0: return .tick
    case 12: return .workerReach(anyWorker(), chance.below(2) == 0)
    case 1: return .committed(UInt64(number(below: 40)))
    case 2: return .commitFailed(UInt64(number(below: 40)), reason: "noise")
    case 3:
      switch chance.below(4) {
      case 0: return .workerExpelled(anyWorker(), reason: "noise")
      case 1: return .processEnded(name: "worker-\(chance.below(9))", reason: "noise")
      default: return .workerGone(anyWorker(), reason: "noise", isRefused: chance.below(2) == 0)
      }
    case 4, 5: return .store(anyStoreEvent())
    case 6, 7: return anyCall()
    default: return .message(anyMessage(), from: anyWorker())
    }
  }

  private mutating func anyMessage() -> WorkerMessage {
    switch chance.below(12) {
    case 0: return .leaving
    case 1: return .goodbye
    case 2: return .failed(anyJob(), anyRank(), step: number(below: 30), reason: "noise")
    case 3: return .alarm(anyJob(), anyRank(), reason: "noise")
    case 4, 5: return .hello(anyHello())
    default: return .heartbeat(anyBeat())
    }
  }

  private mutating func anyHello() -> WorkerMessage.Hello {
    WorkerMessage.Hello(
      worker: anyWorker(), name: "worker-\(chance.below(9))", processID: number(below: 9),
      version: number(below: 3), numerics: chance.below(2) == 0 ? "fma-f32-v1" : "noise",
      level: "noise", threads: number(below: 9), memoryBytes: number(below: 1 << 30),
      endpoint: "", machine: "machine-\(chance.below(3))", isSpare: chance.below(2) == 0)
  }

  private mutating func anyBeat() -> WorkerMessage.Heartbeat {
    var beat = WorkerMessage.Heartbeat(
      job: chance.below(8) == 0 ? nil : anyJob(), revision: anyEpoch(),
      term: UInt64(chance.below(4)),
      progress: (0..<chance.below(4)).map { _ in anyProgress() },
      held: (0..<chance.below(4)).map { _ in
        WorkerMessage.HeldCopy(vrank: anyRank(), epoch: anyEpoch(), next: number(below: 24))
      },
      residentBytes: number(below: 1 << 30), isLast: chance.below(4) == 0)
    beat.computation.itemsDone = chance.bits() >> UInt64(chance.below(64))
    beat.computation.isBusy = chance.below(2) == 0
    beat.computation.slowTileSeconds = anyTime()
    beat.traffic.computeSeconds = anyTime()
    return beat
  }

  private mutating func anyProgress() -> WorkerMessage.Progress {
    let tier = RestoreTier.allCases[chance.below(RestoreTier.allCases.count)]
    let next = number(below: 24)
    return WorkerMessage.Progress(
      vrank: anyRank(), epoch: anyEpoch(), next: next, needed: number(below: 24),
      copied: number(below: 24), durable: number(below: 24),
      restored: chance.below(2) == 0 ? nil : WorkerMessage.Restored(tier: tier, next: next),
      isHandedOver: chance.below(2) == 0)
  }

  private mutating func anyStoreEvent() -> StoreEvent {
    let (job, digest) = (anyJob(), SHA256.hash([UInt8(chance.below(8))]))
    switch chance.below(7) {
    case 0: return .created(job)
    case 1: return .received(job)
    case 2:
      return .sealed(job, table?.inputs ?? InputDigests(query: digest, key: digest, value: digest))
    case 3: return .finished(job, digests: [digest, digest])
    case 4: return chance.below(2) == 0 ? .dropped(job) : .found(job)
    case 5: return .failed(job, CallFailure(.internal, "noise"))
    default: return .stored(job, anyRank(), anyEpoch())
    }
  }

  private mutating func anyCall() -> Coordinator.Event {
    let requests: [CallRequest] = [
      .start(anyJob()), .status(anyJob()),
      .list(ListRequest(before: number(below: 9), limit: number(below: 200))), .cancel(anyJob()),
      .result(anyJob()),
      .discard(anyJob()), .remove(anyJob()), .workers, .drain("worker-\(chance.below(9))"),
      .cordon("worker-\(chance.below(9))", isLifted: chance.below(2) == 0), .mesh,
      .events(EventsRequest(after: chance.bits() >> UInt64(chance.below(64)), job: anyJob())),
    ]
    let role = Role.allCases[chance.below(Role.allCases.count)]
    return call(requests[chance.below(requests.count)], as: role, version: number(below: 3))
  }

  private mutating func call(
    _ request: CallRequest, as role: Role, version: Int
  ) -> Coordinator.Event {
    let id = RequestID(high: 5, low: chance.bits())
    let header = CallHeader(
      version: version, request: id, role: role, client: "noise", method: request.method.rawValue,
      remaining: .seconds(1 + chance.below(3)))
    return .call(header, request, Coordinator.Ticket(caller: 5, request: id))
  }

  /// Also far from anything that is there.
  private mutating func number(below usual: Int) -> Int {
    let strange = [Int.max, 1 << 40, usual]
    return chance.below(8) == 0 ? strange[chance.below(strange.count)] : chance.below(usual)
  }

  private mutating func anyTime() -> Double {
    [0, 0.5, 1e3, -1, 1e300, .nan, .infinity, -.infinity][chance.below(8)]
  }

  private mutating func anyJob() -> JobID {
    guard let table, chance.below(8) != 0 else { return JobID(high: 1, low: 2) }
    return table.job
  }

  private mutating func anyWorker() -> WorkerID { workers[chance.below(workers.count)] }

  private mutating func anyRank() -> VRank {
    VRank(chance.below(4) == 0 ? number(below: 300) : chance.below(table?.hosts.count ?? 1))
  }

  /// Often one that is in force.
  private mutating func anyEpoch() -> Epoch {
    if let table, chance.below(2) == 0 { return table.hosts[chance.below(table.hosts.count)].epoch }
    return Epoch(term: UInt64(1 + chance.below(3)), counter: UInt64(chance.below(24)))
  }
}

extension Simulation {
  /// Now and then a copy of the coordinator's core is told nonsense.
  func disturb(_ coordinator: CoordinatorProcess) {
    guard options.hasNoise, noiseChance.below(16) == 0 else { return }
    coverage.add(.path(.coordinatorNoise))
    var noise = CoordinatorNoise(chance: noiseChance, table: ledger.latest)
    if !noise.disturb(coordinator.core, at: clock) {
      ledger.fail(.totality, "the coordinator answers nothing any more")
    }
    _ = noiseChance.bits()
  }
}
