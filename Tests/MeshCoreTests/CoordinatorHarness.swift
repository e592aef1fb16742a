import Checksums
import MeshCore

/// A coordinator core, its clock, and what it has said.
final class CoordinatorHarness {
  var core: Coordinator
  var now = Duration.seconds(10)
  /// Of the last event.
  private(set) var effects: [Coordinator.Effect] = []
  private(set) var observed: [Observation] = []
  private var lastRequest: UInt64 = 1_000

  init(quota: Int = .max, retention: Duration = .seconds(3_600)) {
    core = Coordinator(
      configuration: Coordinator.Configuration(
        term: 3, storeEndpoint: "tcp://store", diskQuotaBytes: quota, retention: retention, seed: 5)
    )
  }

  @discardableResult
  func send(_ event: Coordinator.Event) -> [Coordinator.Effect] {
    now += .milliseconds(1)
    effects = core.handle(event, at: now)
    for case .observe(let observation) in effects { observed.append(observation) }
    return effects
  }

  /// Calls under a fresh request id, unless one is given; returns the reply to this very ticket.
  @discardableResult
  func call(
    _ request: CallRequest, as role: Role = .client, client: String = "ann", id: UInt64? = nil,
    caller: UInt64 = 1, version: Int = protocolVersion, remaining: Duration = .seconds(30)
  ) -> CallOutcome? {
    lastRequest += 1
    let number = id ?? lastRequest
    let ticket = ticket(number, caller: caller)
    let header = CallHeader(
      version: version, request: ticket.request, role: role, client: client,
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

  /// The table sent with the last event, if any.
  var assigned: Assignment? {
    for case .send(.assign(let assignment, _), _) in effects { return assignment }
    return nil
  }

  /// Workers told to drop a job with the last event.
  func released(_ job: JobID) -> [UInt64] {
    effects.compactMap { effect in
      guard case .send(.release(job, _), let worker) = effect else { return nil }
      return worker.incarnation
    }
  }

  // MARK: Steps

  func join(_ numbers: UInt64...) {
    for number in numbers { join(sampleHello(number)) }
  }

  func join(_ hello: WorkerMessage.Hello) {
    send(.message(.hello(hello), from: hello.worker))
  }

  /// Submits and returns the id; the store has not answered yet.
  func submit(
    _ spec: AttentionJob = sampleJob(queries: 600), client: String = "ann", id: UInt64? = nil,
    deadline: Double = 0
  ) -> JobID? {
    call(
      .submit(SubmitRequest(spec: spec, deadlineSeconds: deadline)), client: client, id: id)
    for case .create(let job, _) in commands { return job }
    return nil
  }

  /// A job with its inputs in place: queued, or running when workers are free.
  func queue(
    _ spec: AttentionJob = sampleJob(queries: 600), client: String = "ann", deadline: Double = 0
  ) -> JobID? {
    guard let job = submit(spec, client: client, deadline: deadline) else { return nil }
    send(.store(.created(job)))
    call(.start(job), client: client)
    send(.store(.sealed(job, sampleInputs)))
    return job
  }

  func beat(
    _ worker: UInt64, job: JobID? = nil, progress: [WorkerMessage.Progress] = [],
    isLast: Bool = false
  ) {
    let beat = WorkerMessage.Heartbeat(
      job: job, term: 3, progress: progress, traffic: Traffic(), residentBytes: 1, isLast: isLast)
    send(.message(.heartbeat(beat), from: WorkerID(incarnation: worker)))
  }

  func storeAll(_ assignment: Assignment) {
    for (index, host) in assignment.hosts.enumerated() {
      send(.store(.stored(assignment.job, VRank(index), host.epoch)))
    }
  }

  /// The store has digested the result, and workers 1 and 2 have given their final counters.
  func finish(_ job: JobID) {
    send(.store(.finished(job, output: sampleDigest(4), logSumExp: sampleDigest(5))))
    beat(1, job: job, isLast: true)
    beat(2, job: job, isLast: true)
  }

  func status(_ job: JobID) -> JobStatus? {
    guard case .success(.status(let status)) = call(.status(job), as: .viewer) else { return nil }
    return status
  }

  func state(_ job: JobID) -> JobState? { status(job)?.summary.state }

  func reason(_ job: JobID) -> String { status(job)?.summary.reason ?? "" }
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
