import AttentionMasks
import Checksums
import MeshCore

/// A coordinator core, its clock, its disk, and what it has said.
final class CoordinatorHarness {
  var core: Coordinator
  var now = Duration.seconds(10)
  /// Passes before each event.
  var step = Duration.milliseconds(1)
  /// Whether a commit is on disk at once. Otherwise it waits for `commit()` or `failCommit()`.
  var commitsAtOnce = true
  /// Of the last event, in order; commits are left out while they are done at once.
  private(set) var effects: [Coordinator.Effect] = []
  private(set) var observed: [Observation] = []
  /// What a restart finds.
  private(set) var disk: [JobID: JobImage] = [:]
  /// The commit under way.
  private(set) var pending: Commit?
  /// Numbers of all commits that were asked for.
  private(set) var commitNumbers: [UInt64] = []
  /// The table of the last assignment that left.
  private(set) var table: Assignment?
  private let configuration: Coordinator.Configuration
  private var lastRequest: UInt64 = 1_000

  struct Commit {
    let number: UInt64
    let images: [JobImage]
    let removing: [JobID]
  }

  init(
    quota: Int = .max, retention: Duration = .seconds(3_600),
    stragglers: StragglerPolicy = .report, isClosed: Bool = false, defect: Defect? = nil,
    _ change: (inout Coordinator.Configuration) -> Void = { _ in }
  ) {
    var configuration = Coordinator.Configuration(
      term: 3, storeEndpoint: "tcp://store", diskQuotaBytes: quota, retention: retention,
      stragglers: stragglers, seed: 5, wallSeconds: now.seconds)
    configuration.isClosed = isClosed
    change(&configuration)
    self.configuration = configuration
    core = Coordinator(configuration: configuration, at: now, defect: defect)
  }

  /// One that has been made elsewhere.
  init(_ core: Coordinator, at now: Duration = .seconds(10)) {
    self.core = core
    self.now = now
    configuration = Coordinator.Configuration(
      term: 3, storeEndpoint: "", diskQuotaBytes: .max, retention: .seconds(3_600), seed: 5,
      wallSeconds: now.seconds)
  }

  @discardableResult
  func send(_ event: Coordinator.Event) -> [Coordinator.Effect] {
    now += step
    effects = []
    perform(core.handle(event, at: now))
    return effects
  }

  private func perform(_ found: [Coordinator.Effect]) {
    for effect in found {
      switch effect {
      case .commit(let number, let images, let removing):
        commitNumbers.append(number)
        pending = Commit(number: number, images: images, removing: removing)
        if !commitsAtOnce { effects.append(effect) }
      case .observe(let observation):
        observed.append(observation)
        effects.append(effect)
      case .send(.assign(let table, _), _):
        self.table = table
        effects.append(effect)
      default: effects.append(effect)
      }
    }
    if commitsAtOnce, let commit = pending {
      write(commit)
      perform(core.handle(.committed(commit.number), at: now))
    }
  }

  private func write(_ commit: Commit) {
    for image in commit.images { disk[image.job] = image }
    for job in commit.removing { disk[job] = nil }
    pending = nil
  }

  // MARK: The disk

  /// The commit under way is on disk.
  func commit() {
    guard let commit = pending else { return }
    write(commit)
    send(.committed(commit.number))
  }

  /// Nothing of the commit under way is on disk.
  func failCommit() {
    guard let commit = pending else { return }
    pending = nil
    send(.commitFailed(commit.number, reason: "the disk is full"))
  }

  /// The process dies, and another takes over what is on disk. It has heard nothing yet.
  ///
  /// - Parameters:
  ///   - events: what is left of those that were seen.
  ///   - blocks: the block maps that are in the store.
  func restart(
    term: UInt64 = 4, after delay: Duration = .zero, events: [RecordedEvent] = [],
    blocks: [JobID: BlockMap] = [:]
  ) {
    now += delay
    pending = nil
    var configuration = configuration
    configuration.term = term
    configuration.seed = term + 2
    configuration.wallSeconds = now.seconds
    let images = disk.values.sorted { $0.number < $1.number }
    let workers = core.knownWorkers(at: now)
    core = Coordinator(
      configuration: configuration, images: images, blocks: blocks, events: events,
      workers: workers, at: now)
  }

  // MARK: Calls

  /// Calls under a fresh request id, unless one is given; returns the reply to this very ticket.
  @discardableResult
  func call(
    _ request: CallRequest, as role: Role = .operator, client: String = "ann", id: UInt64? = nil,
    caller: UInt64 = 1, version: Int = protocolVersion, remaining: Duration = .seconds(30)
  ) -> CallOutcome? {
    lastRequest += 1
    let number = id ?? lastRequest
    let ticket = ticket(number, caller: caller)
    let header = CallHeader(
      version: version, request: ticket.request,
      role: role, client: client,
      method: request.method.rawValue, remaining: remaining)
    send(.call(header, request, ticket))
    return reply(to: number, caller: caller)
  }

  func ticket(_ id: UInt64, caller: UInt64 = 1) -> Coordinator.Ticket {
    Coordinator.Ticket(caller: caller, request: RequestID(high: 0, low: id))
  }

  /// The reply to a ticket among the effects of the last event.
  func reply(to id: UInt64, caller: UInt64 = 1) -> CallOutcome? {
    for case .reply(let outcome, let ticket) in effects
    where ticket == self.ticket(id, caller: caller) {
      return outcome
    }
    return nil
  }

  // MARK: Effects of the last event

  func sent(to worker: UInt64) -> [CoordinatorMessage] {
    effects.compactMap { effect in
      guard case .send(let message, let target) = effect,
        target == WorkerID(incarnation: worker)
      else { return nil }
      return message
    }
  }

  var commands: [StoreCommand] {
    effects.compactMap { effect in
      if case .store(let command) = effect { return command }
      return nil
    }
  }

  /// The table sent with the last event, if any: the newest when there are several.
  var assigned: Assignment? {
    effects.reversed().firstNonNil { effect in
      if case .send(.assign(let assignment, _), _) = effect { return assignment }
      return nil
    }
  }

  /// Workers told to drop a job with the last event.
  func released(_ job: JobID) -> [UInt64] {
    effects.compactMap { effect in
      guard case .send(.release(job, _, _), let worker) = effect else { return nil }
      return worker.incarnation
    }
  }

  /// Workers told that they may go with the last event.
  var dismissed: [UInt64] {
    effects.compactMap { effect in
      guard case .send(.leave, let worker) = effect else { return nil }
      return worker.incarnation
    }
  }

  /// Observations of one kind, of the whole run.
  func observed(_ kind: Observation.Kind) -> [Observation] { observed.filter { $0.kind == kind } }

  // MARK: Steps

  func join(_ numbers: UInt64...) {
    for number in numbers { join(sampleHello(number)) }
  }

  func join(_ hello: WorkerMessage.Hello) {
    send(.message(.hello(hello), from: hello.worker))
  }

  /// The connection of a worker breaks.
  func cut(_ worker: UInt64, isRefused: Bool = false) {
    send(
      .workerGone(
        WorkerID(incarnation: worker), reason: "its connection broke", isRefused: isRefused))
  }

  /// Time passes; these workers beat, and follow the job.
  func pass(_ time: Duration, beating workers: [UInt64] = [], job: JobID? = nil) {
    let end = now + time
    while now < end {
      now += .milliseconds(99)
      for worker in workers { beat(worker, job: job) }
      send(.tick)
    }
  }

  /// Submits and returns the id; the store has not answered yet.
  func submit(
    _ spec: AttentionJob = sampleJob(queries: 600), client: String = "ann", id: UInt64? = nil,
    deadline: Double = 0, isProtected: Bool = true, name: String = ""
  ) -> JobID? {
    let request = SubmitRequest(
      spec: spec, deadlineSeconds: deadline, isProtected: isProtected, name: name)
    call(.submit(request), client: client, id: id)
    for case .create(let job, _, _) in commands { return job }
    return nil
  }

  /// A job with its inputs in place: queued, or running when workers are free.
  func queue(
    _ spec: AttentionJob = sampleJob(queries: 600), client: String = "ann", id: UInt64? = nil,
    deadline: Double = 0, isProtected: Bool = true
  ) -> JobID? {
    let submitted = submit(
      spec, client: client, id: id, deadline: deadline, isProtected: isProtected)
    guard let job = submitted else { return nil }
    send(.store(.created(job)))
    call(.start(job), client: client)
    send(.store(.sealed(job, sampleInputs)))
    return job
  }

  /// A heartbeat of a worker that follows the last table that left, unless it says otherwise.
  func beat(
    _ worker: UInt64, job: JobID? = nil, revision: Epoch? = nil,
    progress: [WorkerMessage.Progress] = [], held: [WorkerMessage.HeldCopy] = [],
    unreachable: [UInt64] = [],
    computation: WorkerMessage.Computation = WorkerMessage.Computation(),
    computeSeconds: Double = 0, isLast: Bool = false, isCordoned: Bool = false
  ) {
    var traffic = Traffic()
    traffic.computeSeconds = computeSeconds
    let follows = job == nil || table?.job != job ? nil : table?.revision
    let beat = WorkerMessage.Heartbeat(
      job: job, revision: revision ?? follows ?? .lowest, term: 3, progress: progress, held: held,
      unreachable: unreachable.map { WorkerID(incarnation: $0) }, computation: computation,
      traffic: traffic, residentBytes: 1, isLast: isLast,
      isCordoned: isCordoned)
    send(.message(.heartbeat(beat), from: WorkerID(incarnation: worker)))
  }

  func storeAll(_ assignment: Assignment) {
    for (index, host) in assignment.hosts.enumerated() {
      send(.store(.stored(assignment.job, VRank(index), host.epoch)))
    }
  }

  /// The store has digested the result, and workers 1 and 2 have given their final counters.
  func finish(_ job: JobID) {
    send(.store(.finished(job, digests: [sampleDigest(4), sampleDigest(5)])))
    beat(1, job: job, isLast: true)
    beat(2, job: job, isLast: true)
  }

  // MARK: Looking

  func status(_ job: JobID) -> JobStatus? {
    guard case .success(.status(let status)) = call(.status(job), as: .viewer) else { return nil }
    return status
  }

  func state(_ job: JobID) -> JobState? { status(job)?.summary.state }

  func reason(_ job: JobID) -> String { status(job)?.summary.reason ?? "" }

  /// Names of the workers that are here.
  var workers: [String] {
    guard case .success(.workers(let list)) = call(.workers, as: .viewer) else { return [] }
    return list.present.map(\.name)
  }
}

extension Sequence {
  func firstNonNil<Found>(_ find: (Element) -> Found?) -> Found? {
    for element in self {
      if let found = find(element) { return found }
    }
    return nil
  }
}

extension CallOutcome {
  var code: StatusCode {
    switch self {
    case .success: .ok
    case .failure(let failure): failure.code
    }
  }

  var message: String {
    switch self {
    case .success: ""
    case .failure(let failure): failure.message
    }
  }

  var submitted: SubmitReply? {
    if case .success(.submitted(let reply)) = self { return reply }
    return nil
  }

  var status: JobStatus? {
    if case .success(.status(let status)) = self { return status }
    return nil
  }

  var events: EventsReply? {
    if case .success(.events(let reply)) = self { return reply }
    return nil
  }
}
