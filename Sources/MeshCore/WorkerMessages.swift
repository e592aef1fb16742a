/// What a worker tells its coordinator: one-way, at most once. Everything but `hello` is believed
/// only from a worker that said hello.
package enum WorkerMessage: Hashable, Sendable {
  case hello(Hello)
  case heartbeat(Heartbeat)
  /// The worker can't go on with its part of the job.
  case failed(JobID, VRank, step: Int, reason: String)
  /// Protection of a virtual rank is failing; the rank goes on.
  case alarm(JobID, VRank, reason: String)
  /// The worker was asked to end, or is drained: it waits to be relieved of what it hosts.
  case leaving
  /// The worker leaves; it hosts nothing any more.
  case goodbye

  /// Introduces a worker.
  package struct Hello: Hashable, Sendable {
    package var worker: WorkerID
    /// For people: logs, tables, errors. At most `Limits.nameBytesMaximum` bytes.
    package var name: String
    package var processID: Int
    /// Version of the protocol it speaks; see `protocolVersion`.
    package var version: Int
    /// Numerics fingerprint: only workers with the same one share a job.
    package var numerics: String
    /// CPU level of its kernels, for people.
    package var level: String
    package var threads: Int
    /// Bytes it may use for a job.
    package var memoryBytes: Int
    /// Where it serves tiles.
    package var endpoint: String
    /// What it proves to be, if the mesh has keys; others connect to nobody else there.
    package var publicKey: PublicKey?
    /// The machine it runs on, where known: copies are kept on another one if there is one.
    package var machine: String
    /// Takes part in a job only in place of a worker that was lost.
    package var isSpare: Bool
    /// A coordinator has told it that it is cordoned: the next one may know nothing of it.
    package var isCordoned: Bool
    /// Highest term of a coordinator that it has followed; 0 for none.
    package var term: UInt64

    package init(
      worker: WorkerID, name: String, processID: Int, version: Int, numerics: String,
      level: String, threads: Int, memoryBytes: Int, endpoint: String, publicKey: PublicKey? = nil,
      machine: String = "", isSpare: Bool = false, isCordoned: Bool = false, term: UInt64 = 0
    ) {
      self.worker = worker
      self.name = name
      self.processID = processID
      self.version = version
      self.numerics = numerics
      self.level = level
      self.threads = threads
      self.memoryBytes = memoryBytes
      self.endpoint = endpoint
      self.publicKey = publicKey
      self.machine = machine
      self.isSpare = isSpare
      self.isCordoned = isCordoned
      self.term = term
    }
  }

  /// Sign of life and of progress, each `Limits.heartbeatInterval`, from the thread that never
  /// computes.
  package struct Heartbeat: Hashable, Sendable {
    package var job: JobID?
    /// Of the assignment it follows; lowest when it has none.
    package var revision: Epoch
    /// Highest coordinator term it follows.
    package var term: UInt64
    package var progress: [Progress]
    /// Whole copies of other hosts' ranks in its memory.
    package var held: [HeldCopy]
    /// Peers of its job that it can't connect to.
    package var unreachable: [WorkerID]
    package var computation: Computation
    package var traffic: Traffic
    /// The most bytes that were resident at once.
    package var residentBytes: Int
    /// Answers a release: the last word about the job, with the final counters.
    package var isLast: Bool
    /// What it knows of its cordon.
    package var isCordoned: Bool

    package init(
      job: JobID?, revision: Epoch = .lowest, term: UInt64, progress: [Progress],
      held: [HeldCopy] = [], unreachable: [WorkerID] = [],
      computation: Computation = Computation(), traffic: Traffic = Traffic(),
      residentBytes: Int = 0, isLast: Bool = false,
      isCordoned: Bool = false
    ) {
      self.job = job
      self.revision = revision
      self.term = term
      self.progress = progress
      self.held = held
      self.unreachable = unreachable
      self.computation = computation
      self.traffic = traffic
      self.residentBytes = residentBytes
      self.isLast = isLast
      self.isCordoned = isCordoned
    }
  }

  /// How far one virtual rank has come.
  package struct Progress: Hashable, Sendable {
    package var vrank: VRank
    package var epoch: Epoch
    /// The next K/V tile to fold.
    package var next: Int
    /// The K/V tiles it folds are 0 ..< this.
    package var needed: Int
    /// `next` of the last whole copy in its holder's memory; 0 for none.
    package var copied: Int
    /// `next` of the last checkpoint on disk; 0 for none.
    package var durable: Int
    /// Where its state came from under this epoch; nil while it is looked for, and for a fresh rank.
    package var restored: Restored?
    /// Asked to hand over, it has stopped, and what it folded is copied.
    package var isHandedOver: Bool

    package init(
      vrank: VRank, epoch: Epoch, next: Int, needed: Int, copied: Int = 0, durable: Int = 0,
      restored: Restored? = nil, isHandedOver: Bool = false
    ) {
      self.vrank = vrank
      self.epoch = epoch
      self.next = next
      self.needed = needed
      self.copied = copied
      self.durable = durable
      self.restored = restored
      self.isHandedOver = isHandedOver
    }
  }

  /// What a new host found of a virtual rank's state.
  package struct Restored: Hashable, Sendable, Codable {
    package var tier: RestoreTier
    /// The tile at which it went on.
    package var next: Int

    package init(tier: RestoreTier, next: Int) {
      self.tier = tier
      self.next = next
    }
  }

  /// A whole copy of a virtual rank's state in a worker's memory.
  package struct HeldCopy: Hashable, Sendable {
    package var vrank: VRank
    /// Under which it was made.
    package var epoch: Epoch
    package var next: Int

    package init(vrank: VRank, epoch: Epoch, next: Int) {
      self.vrank = vrank
      self.epoch = epoch
      self.next = next
    }
  }

  /// Whether the compute threads get on: what tells a hung worker from a busy one.
  package struct Computation: Hashable, Sendable {
    /// Items of work done since the process began: only ever grows.
    package var itemsDone: UInt64 = 0
    /// Whether there is work that isn't done.
    package var isBusy = false
    /// Seconds that a fold of one tile takes, 95 of 100 no more.
    package var slowTileSeconds = 0.0

    package init() {}
  }
}

/// Where the state of a virtual rank came from, the best first.
package enum RestoreTier: UInt8, Sendable, CaseIterable, Codable {
  /// Another worker's memory, or this one's where it held the copy.
  case memory = 1
  /// The newest checkpoint on disk.
  case slot = 2
  /// The one before it: the newest was damaged.
  case otherSlot = 3
  /// Nothing was found: everything is folded again from the inputs.
  case recompute = 4

  package var name: String {
    switch self {
    case .memory: "peer memory"
    case .slot: "checkpoint"
    case .otherSlot: "older checkpoint"
    case .recompute: "recomputed"
    }
  }
}

/// Counters of one worker for its present job. Bytes are those written to sockets, framing and
/// repeats included.
package struct Traffic: Hashable, Sendable, Codable {
  /// K/V tiles to other workers: messages and the requests for them.
  package var tileBytes = 0
  /// Requests to the input store.
  package var inputBytes = 0
  /// Results to the store.
  package var resultBytes = 0
  /// Copies of state to other workers, and to those that restore it.
  package var copyBytes = 0
  /// Frames that arrived on its data sockets, from whomever.
  package var receivedBytes = 0
  /// Messages that were malformed, stale or unasked for.
  package var dropped = 0
  /// Wall time in which the compute threads had work, of whatever kind: packing, too. Until the end of
  /// the last fold.
  package var computeSeconds = 0.0
  /// Wall time in which they had none although the rank wasn't finished.
  package var waitSeconds = 0.0

  package init() {}
}

/// What a coordinator tells a worker: one-way, at most once.
package enum CoordinatorMessage: Hashable, Sendable {
  /// Answers a hello. `term` fences messages of an older coordinator.
  case welcome(term: UInt64, storeEndpoint: String)
  /// Answers a hello that is not accepted, and whatever a worker says that was found hung.
  case refused(StatusCode, reason: String)
  /// Answers a heartbeat, so that a worker knows that its coordinator lives.
  case beat(term: UInt64)
  case assign(Assignment, term: UInt64)
  /// The job is over, or no longer this worker's: drop everything of it, in the first case its
  /// checkpoints too.
  case release(JobID, isOver: Bool, term: UInt64)
  /// Answers a sign of life of a worker that isn't known, as after a restart: it should say hello.
  case introduce(term: UInt64)
  /// The worker is to be relieved of what it hosts, and then to go. It answers `leaving`, and says so
  /// again to every coordinator that welcomes it: a drain outlives the coordinator that was asked for
  /// it.
  case drain(term: UInt64)
  /// The worker is cordoned, or no longer: it keeps that for the next coordinator.
  case cordon(Bool, term: UInt64)
  /// The worker hosts nothing any more and was asked to end: it may go.
  case leave(term: UInt64)
}

/// Version of the messages in `Protos/`. Peers of another version are refused at hello.
package let protocolVersion = 8

/// Version of the program.
package let programVersion = "0.1.0"
