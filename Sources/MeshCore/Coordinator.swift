package import AttentionMasks
package import Checksums

/// Decides who computes what: members, jobs, assignments, results. Pure: the same events give the
/// same effects. Driven by the coordinator's loop and by the simulator.
///
/// Life of a job:
///
///     submit ─► uploading ─start─► sealing ─► queued ─► running ─► finishing ─► done
///                   │                 │          │         │            │
///                   └────────────────┴──────────┴────┬────┴────────────┘
///                                                    ▼
///                                            failed | cancelled
///
/// One job runs at a time, on all workers; the others wait in a queue that is fair by client.
package struct Coordinator: Sendable {
  /// What the shell tells the core.
  package enum Event: Sendable {
    case call(CallHeader, CallRequest, Ticket)
    case message(WorkerMessage, from: WorkerID)
    /// The connection to a worker broke. That is no proof that its process ended, but likely where
    /// nobody listens at its address any more.
    case workerGone(WorkerID, reason: String, isRefused: Bool = false)
    /// A worker isn't admitted any more.
    case workerExpelled(WorkerID, reason: String)
    /// The process of the worker of this name ended, says who watches it.
    case processEnded(name: String, reason: String)
    /// Whether a worker can be connected to where it serves tiles: told as `Worker.Event.reach` is.
    case workerReach(WorkerID, Bool)
    case store(StoreEvent)
    /// A commit is on disk, and so are all before it.
    case committed(UInt64)
    /// Nothing of the commit is on disk.
    case commitFailed(UInt64, reason: String)
    /// The shell saw something that belongs among the events.
    case noted(Observation)
    /// What the clock on the wall says, in seconds since 1970: it may have been set.
    case clock(Double)
    case tick
  }

  /// What the shell does, in order.
  package enum Effect: Sendable {
    case send(CoordinatorMessage, to: WorkerID)
    case reply(CallOutcome, to: Ticket)
    case store(StoreCommand)
    /// Put these on disk in one transaction, all or none. What depends on it is held back until
    /// `committed`.
    case commit(UInt64, [JobImage], removing: [JobID])
    case observe(Observation)
  }

  /// Where the reply to a call goes.
  package struct Ticket: Hashable, Sendable {
    /// The shell's number of the connection.
    package let caller: UInt64
    package let request: RequestID

    package init(caller: UInt64, request: RequestID) {
      self.caller = caller
      self.request = request
    }
  }

  /// What doesn't change while a coordinator runs.
  package struct Configuration: Sendable {
    /// Higher than that of every coordinator before it on the same store.
    package var term: UInt64
    /// Where clients and workers reach the store's data socket.
    package var storeEndpoint: String
    /// Bytes that inputs and results of all jobs may take in the store.
    package var diskQuotaBytes: Int
    /// A result that nobody fetched is dropped after so long.
    package var retention: Duration
    package var stragglers: StragglerPolicy
    package var seed: UInt64
    /// Whether nobody can join any more: what waits for other workers would wait for ever.
    package var isClosed = false
    /// Jobs wait for so many workers to be here, though not for ever; 0 for any number.
    package var workersMinimum = 0
    /// How long a mesh that was empty waits for more workers after each that joins, before it cuts a
    /// job for those who are here.
    package var settling: Duration = .zero
    /// Whether what is committed outlives the process.
    package var isPersistent = false
    /// Seconds since 1970 when it was started.
    package var wallSeconds: Double

    package init(
      term: UInt64, storeEndpoint: String, diskQuotaBytes: Int, retention: Duration,
      stragglers: StragglerPolicy = .report, seed: UInt64, wallSeconds: Double
    ) {
      self.term = term
      self.storeEndpoint = storeEndpoint
      self.diskQuotaBytes = diskQuotaBytes
      self.retention = retention
      self.stragglers = stragglers
      self.seed = seed
      self.wallSeconds = wallSeconds
    }
  }

  let configuration: Configuration
  let startedAt: Duration
  let defect: Defect?
  /// Sorted by id.
  var members: [Member] = []
  var fenced = FencedWorkers()
  var missing = MissingWorkers()
  var lost = LostWorkers()
  var returning = ReturningWorkers()
  var cordons = Cordons()
  /// In order of submit.
  var jobs: [JobRecord] = []
  var events: EventLog
  var replies = ReplyCache()
  var commits = CommitQueue()
  var parked: [ParkedCall] = []
  /// Clients in the order in which they were last served; the first waits longest.
  var servedClients: [String] = []
  var nextEpoch: UInt64 = 1
  var nextNumber = 1
  var random: SplitMix64
  var lastTick: Duration?
  /// What the clock on the wall is ahead of `now`.
  private var wallAhead: Double
  var loopLag = LoopLag()
  var gathering = Gathering()
  /// Whether the jobs of an earlier coordinator wait to be taken up.
  private var isRestart: Bool

  /// - Parameters:
  ///   - images: what is on disk of the jobs of earlier coordinators, in order of submit. They are
  ///     taken up with the first event.
  ///   - blocks: what the block maps say of those of them that aren't over.
  ///   - events: what is left of what they saw, in order and without gaps.
  ///   - workers: that they knew, as `knownWorkers` told them.
  package init(
    configuration: Configuration, images: [JobImage] = [], blocks: [JobID: BlockMap] = [:],
    events: [RecordedEvent] = [], workers: [WorkerStatus] = [], at now: Duration = .zero,
    defect: Defect? = nil
  ) {
    self.configuration = configuration
    startedAt = now
    wallAhead = configuration.wallSeconds - now.seconds
    self.events = EventLog(term: configuration.term, earlier: events)
    self.defect = defect
    random = SplitMix64(seed: configuration.seed)
    isRestart = !images.isEmpty
    restore(images, blocks: blocks, at: now)
    restore(workers, at: now)
  }

  package mutating func handle(_ event: Event, at now: Duration) -> [Effect] {
    var effects: [Effect] = []
    var released: [Effect] = []
    if isRestart {
      isRestart = false
      takeUpJobs(at: now, into: &effects)
    }
    switch event {
    case .call(let header, let request, let ticket):
      receive(request, header: header, ticket: ticket, at: now, into: &effects)
    case .message(let message, let worker):
      receive(message, from: worker, at: now, into: &effects)
    case .workerGone(let worker, let reason, let isRefused):
      lose(worker, isRefused ? .refused : .disconnected, reason: reason, at: now, into: &effects)
    case .workerExpelled(let worker, let reason):
      lose(worker, .expelled, reason: reason, at: now, into: &effects)
    case .processEnded(let name, let reason):
      processEnded(name, reason: reason, at: now, into: &effects)
    case .workerReach(let worker, let isReachable):
      noteReach(of: worker, isReachable, at: now, into: &effects)
    case .store(let event):
      receive(event, at: now, into: &effects)
    case .committed(let number):
      released = committed(number, at: now, into: &effects)
    case .commitFailed(let number, let reason):
      commitFailed(number, reason: reason, at: now, into: &effects)
    case .noted(let observation):
      observe(observation, at: now, into: &effects)
    case .clock(let seconds):
      if seconds.isFinite { wallAhead = seconds - now.seconds }
    case .tick:
      tick(at: now, into: &effects)
    }
    startNextJob(at: now, into: &effects)
    answerParkedCalls(at: now, into: &effects)
    return released + settle(effects, at: now)
  }

  private mutating func tick(at now: Duration, into effects: inout [Effect]) {
    doubtMyself(at: now, into: &effects)
    expireMembers(at: now, into: &effects)
    expireMissing(at: now, into: &effects)
    expireAwaited(at: now, into: &effects)
    expireReturning(at: now, into: &effects)
    expireHandOvers(at: now, into: &effects)
    relieveDraining(at: now, into: &effects)
    employIdle(at: now, into: &effects)
    expireJobs(at: now, into: &effects)
    lost.expire(at: now)
    letGoDrained(at: now, into: &effects)
  }

  func wallSeconds(at now: Duration) -> Double { wallAhead + now.seconds }

  /// The events after this one, for whoever keeps them longer than the process.
  package func events(after sequence: UInt64) -> ArraySlice<RecordedEvent> {
    events.all(after: sequence)
  }

  mutating func mintEpoch() -> Epoch {
    defer { nextEpoch += 1 }
    // The first coordinator of a store has term 1.
    let term = defect == .reuseCounterAfterRestart ? 1 : configuration.term
    return Epoch(term: term, counter: nextEpoch)
  }

  mutating func observe(
    _ observation: Observation, at now: Duration, into effects: inout [Effect]
  ) {
    events.append(observation, at: now, wallSeconds: wallSeconds(at: now))
    effects.append(.observe(observation))
  }

  func index(of job: JobID) -> Int? { jobs.firstIndex { $0.id == job } }

  /// The job that has the workers, if any.
  var activeIndex: Int? { jobs.firstIndex { $0.state == .running || $0.state == .finishing } }
}

/// A job's files, as the coordinator orders them from its store. Each command but `fence` and
/// `acknowledge` ends in an event.
package enum StoreCommand: Sendable {
  /// Allocate room for inputs and results.
  case create(JobID, AttentionJob, client: String)
  /// Find the files of a job again after a restart; says nothing unless they are missing or damaged.
  case reopen(JobID, AttentionJob, client: String, needsInputs: Bool)
  /// All bytes should be there: digest, checksum and sync them.
  case seal(JobID)
  /// Serve the job's tiles to the hosts of this table, and take results from them. Of the virtual
  /// ranks that are final nothing more is taken.
  case begin(Assignment, plan: Plan, isFinal: [Bool])
  /// Other hosts from now on.
  case fence(Assignment)
  /// The result of a virtual rank is final: its worker may drop it.
  case acknowledge(JobID, VRank, Epoch)
  /// All virtual ranks are final: digest and sync the result.
  case finish(JobID)
  /// The job is terminal: its inputs, and unless `keepResult` its result, are of no more use.
  case drop(JobID, keepResult: Bool)
}

/// What the store tells the coordinator.
package enum StoreEvent: Hashable, Sendable {
  case created(JobID)
  /// Bytes arrived for a job that is uploading.
  case received(JobID)
  /// With what the block map says, of a job that has one.
  case sealed(JobID, InputDigests, blocks: BlockMap? = nil)
  /// All parts of a virtual rank's result are stored, synced, and have the digest it announced.
  case stored(JobID, VRank, Epoch)
  case finished(JobID, digests: [Digest])
  case dropped(JobID)
  /// A result that was missing is there.
  case found(JobID)
  /// The store can't go on with a job: disk full, I/O error, bytes missing.
  case failed(JobID, CallFailure)
}
