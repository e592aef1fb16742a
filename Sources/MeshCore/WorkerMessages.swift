/// What a worker tells its coordinator: one-way, at most once. Everything but `hello` is believed
/// only from a worker that said hello.
package enum WorkerMessage: Hashable, Sendable {
  case hello(Hello)
  case heartbeat(Heartbeat)
  /// The worker can't go on with its part of the job.
  case failed(JobID, VRank, step: Int, reason: String)
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

    package init(
      worker: WorkerID, name: String, processID: Int, version: Int, numerics: String,
      level: String, threads: Int, memoryBytes: Int, endpoint: String
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
    }
  }

  /// Sign of life and of progress, each `Limits.heartbeatInterval`, from the thread that never
  /// computes.
  package struct Heartbeat: Hashable, Sendable {
    package var job: JobID?
    /// Highest coordinator term it follows.
    package var term: UInt64
    package var progress: [Progress]
    package var traffic: Traffic
    /// The most bytes that were resident at once.
    package var residentBytes: Int
    /// Answers a release: the last word about the job, with the final counters.
    package var isLast: Bool

    package init(
      job: JobID?, term: UInt64, progress: [Progress], traffic: Traffic, residentBytes: Int,
      isLast: Bool = false
    ) {
      self.job = job
      self.term = term
      self.progress = progress
      self.traffic = traffic
      self.residentBytes = residentBytes
      self.isLast = isLast
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

    package init(vrank: VRank, epoch: Epoch, next: Int, needed: Int) {
      self.vrank = vrank
      self.epoch = epoch
      self.next = next
      self.needed = needed
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
  /// Messages that were malformed, stale or unasked for.
  package var dropped = 0
  /// Wall time in which the compute threads had work, from the first fold to the last.
  package var computeSeconds = 0.0
  /// Wall time in which they had none although the rank wasn't finished.
  package var waitSeconds = 0.0

  package init() {}
}

/// What a coordinator tells a worker: one-way, at most once.
package enum CoordinatorMessage: Hashable, Sendable {
  /// Answers a hello. `term` fences messages of an older coordinator.
  case welcome(term: UInt64, storeEndpoint: String)
  /// Answers a hello that is not accepted.
  case refused(StatusCode, reason: String)
  /// Answers a heartbeat, so that a worker knows that its coordinator lives.
  case beat(term: UInt64)
  case assign(Assignment, term: UInt64)
  /// The job is terminal, or no longer this worker's: drop everything of it.
  case release(JobID, term: UInt64)
}

/// Version of the messages in `Protos/`. Peers of another version are refused at hello.
package let protocolVersion = 1
