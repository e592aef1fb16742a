package import Checksums

/// Where a job is in its life. The last three are terminal, and set once.
package enum JobState: UInt8, Sendable, CaseIterable, Codable {
  /// Room is reserved; tensors are arriving.
  case uploading = 1
  /// All bytes are there; they are being digested and synced.
  case sealing = 2
  /// Accepted: waits for its turn, or for workers.
  case queued = 3
  case running = 4
  /// Every virtual rank is final; the result is being digested and synced.
  case finishing = 5
  case done = 6
  case failed = 7
  case cancelled = 8

  package var isTerminal: Bool { self == .done || self == .failed || self == .cancelled }

  package var name: String {
    switch self {
    case .uploading: "uploading"
    case .sealing: "sealing"
    case .queued: "queued"
    case .running: "running"
    case .finishing: "finishing"
    case .done: "done"
    case .failed: "failed"
    case .cancelled: "cancelled"
    }
  }
}

/// One line about a job.
package struct JobSummary: Hashable, Sendable {
  package var job: JobID
  package var client: String
  package var state: JobState
  /// Why it waits, failed or was cancelled; of a running one who takes no part in it for want of
  /// memory; empty otherwise.
  package var reason: String
  /// Without what may be long: lengths of documents, and what there is for each head.
  package var spec: AttentionJob
  /// The mask and what becomes of logits, as people read it.
  package var mask: String
  /// Multiplications and additions that the mask asks for.
  package var flops: Double
  /// Tiles folded and to fold, over all virtual ranks.
  package var folded: Int
  package var total: Int
  /// Since submit.
  package var ageSeconds: Double
  /// From plan start to last fold, or until now.
  package var wallSeconds: Double
  /// Given at submit, for people; empty for none.
  package var name: String
  /// Seconds since 1970: when it was submitted, and when it fails; nil without a deadline.
  package var submittedAt: Double
  package var deadlineAt: Double?
  package var result: ResultStatus

  package init(
    job: JobID, client: String, state: JobState, reason: String, spec: AttentionJob,
    mask: String? = nil, flops: Double? = nil, folded: Int, total: Int, ageSeconds: Double,
    wallSeconds: Double, name: String = "", submittedAt: Double, deadlineAt: Double? = nil,
    result: ResultStatus = ResultStatus(.none)
  ) {
    self.job = job
    self.client = client
    self.state = state
    self.reason = reason
    self.spec = spec.told
    self.mask = mask ?? spec.maskText
    self.flops = flops ?? spec.flops()
    self.folded = folded
    self.total = total
    self.ageSeconds = ageSeconds
    self.wallSeconds = wallSeconds
    self.name = name
    self.submittedAt = submittedAt
    self.deadlineAt = deadlineAt
    self.result = result
  }
}

/// Everything about a job.
package struct JobStatus: Hashable, Sendable {
  package var summary: JobSummary
  /// Place in the queue, 1 for the next one to run; 0 when it isn't queued.
  package var queuePosition: Int
  package var vrankCount: Int
  package var planHash: Digest?
  package var ranks: [RankStatus]
  package var workers: [JobWorkerStatus]
  /// What a loss of a worker would cost at the moment.
  package var protection: Protection
  /// Virtual ranks that went on elsewhere, oldest first; at most
  /// `Limits.recoveriesKeptMaximum`.
  package var recoveries: [Recovery]
  /// K/V payload bytes that have to cross between workers, at the least.
  package var neededBytes: Int
  /// The bound on one worker's memory that admission computed.
  package var workerBytes: Int
  /// SHA-256 of each tensor of the result (`AttentionJob.outputTensors`), float32, row-major, once the job is done;
  /// none before.
  package var resultDigests: [Digest]

  package init(
    summary: JobSummary, queuePosition: Int, vrankCount: Int, planHash: Digest?,
    ranks: [RankStatus], workers: [JobWorkerStatus], protection: Protection,
    recoveries: [Recovery], neededBytes: Int, workerBytes: Int, resultDigests: [Digest]
  ) {
    self.summary = summary
    self.queuePosition = queuePosition
    self.vrankCount = vrankCount
    self.planHash = planHash
    self.ranks = ranks
    self.workers = workers
    self.protection = protection
    self.recoveries = recoveries
    self.neededBytes = neededBytes
    self.workerBytes = workerBytes
    self.resultDigests = resultDigests
  }

  /// Of one tensor of the result; nil before the job is done, and of another job's.
  package func digest(of tensor: OutputTensor) -> Digest? {
    let place = summary.spec.outputTensors.firstIndex(of: tensor)
    return place.flatMap { resultDigests.indices.contains($0) ? resultDigests[$0] : nil }
  }

  /// Of the output, or of dQ.
  package var outputDigest: Digest? { resultDigests.first }
  package var logSumExpDigest: Digest? { digest(of: .logSumExp) }
}

extension JobStatus {
  /// What protects the work, for a person. What is final needs no copies: the coordinator has it. A single
  /// worker has nobody to copy to.
  package var protectionName: String {
    let open = ranks.filter { !$0.isFinal && $0.next > 0 }
    let hosts = Set(open.map(\.worker))
    switch protection {
    case .off: return protection.name
    case _ where open.isEmpty && ranks.contains(where: \.isFinal): return "results in the store"
    case .none where hosts.count == 1: return "none: one worker has all of it"
    case .diskOnly where hosts.count == 1: return "disk only: one worker has all of it"
    default: return protection.name
    }
  }
}

/// One virtual rank of a job.
package struct RankStatus: Hashable, Sendable {
  package var vrank: VRank
  package var epoch: Epoch
  /// Name of its host.
  package var worker: String
  package var next: Int
  package var needed: Int
  /// `next` of the copy in another worker's memory, and of the checkpoint on disk; 0 for none.
  package var copied: Int
  package var durable: Int
  package var isFinal: Bool

  package init(
    vrank: VRank, epoch: Epoch, worker: String, next: Int, needed: Int, copied: Int, durable: Int,
    isFinal: Bool
  ) {
    self.vrank = vrank
    self.epoch = epoch
    self.worker = worker
    self.next = next
    self.needed = needed
    self.copied = copied
    self.durable = durable
    self.isFinal = isFinal
  }
}

/// What protects the work that a job has done, by its least protected virtual rank.
package enum Protection: UInt8, Sendable, CaseIterable, Codable {
  /// The job asked for none.
  case off = 1
  /// Nothing has been copied yet.
  case none = 2
  case peerAndDisk = 3
  /// In another worker's memory; no checkpoint on disk, or none yet.
  case peerOnly = 4
  /// On disk; no other worker holds it.
  case diskOnly = 5
  /// In another worker's memory; a checkpoint couldn't be written.
  case peerDiskFailing = 6

  package var name: String {
    switch self {
    case .off: "off"
    case .none: "none yet"
    case .peerAndDisk: "peer + disk"
    case .peerOnly: "peer only, not on disk"
    case .peerDiskFailing: "peer only, disk failing"
    case .diskOnly: "disk only, peer lost"
    }
  }
}

/// One worker's part in a job.
package struct JobWorkerStatus: Hashable, Sendable {
  package var name: String
  package var level: String
  package var threads: Int
  package var traffic: Traffic
  package var residentBytes: Int

  package init(name: String, level: String, threads: Int, traffic: Traffic, residentBytes: Int) {
    self.name = name
    self.level = level
    self.threads = threads
    self.traffic = traffic
    self.residentBytes = residentBytes
  }
}

/// One worker of the mesh.
package struct WorkerStatus: Hashable, Sendable {
  package var worker: WorkerID
  package var name: String
  package var processID: Int
  package var numerics: String
  package var level: String
  package var threads: Int
  package var memoryBytes: Int
  package var residentBytes: Int
  package var endpoint: String
  /// Since its last heartbeat.
  package var silentSeconds: Double
  /// The job it works for.
  package var job: JobID?
  package var vranks: [VRank]
  package var standing: WorkerStanding
  /// When and why it was lost; nil for one that is here.
  package var loss: WorkerLoss?

  package init(
    worker: WorkerID, name: String, processID: Int, numerics: String, level: String, threads: Int,
    memoryBytes: Int, residentBytes: Int, endpoint: String, silentSeconds: Double, job: JobID?,
    vranks: [VRank], standing: WorkerStanding, loss: WorkerLoss? = nil
  ) {
    self.worker = worker
    self.name = name
    self.processID = processID
    self.numerics = numerics
    self.level = level
    self.threads = threads
    self.memoryBytes = memoryBytes
    self.residentBytes = residentBytes
    self.endpoint = endpoint
    self.silentSeconds = silentSeconds
    self.job = job
    self.vranks = vranks
    self.standing = standing
    self.loss = loss
  }
}

/// When and why a worker was lost.
package struct WorkerLoss: Hashable, Sendable {
  /// Seconds since 1970.
  package var at: Double
  package var reason: String

  package init(at: Double, reason: String) {
    self.at = at
    self.reason = reason
  }
}

extension [WorkerStatus] {
  /// Without those that were lost.
  package var present: [WorkerStatus] { filter { $0.standing != .lost } }
}

/// What may be asked of a worker.
package enum WorkerStanding: UInt8, Sendable, CaseIterable, Codable {
  case active = 1
  /// Takes part only in place of a worker that was lost.
  case spare = 2
  /// Is being relieved of what it hosts.
  case draining = 3
  /// Keeps what it has and is given nothing new.
  case cordoned = 4
  /// Isn't here any more: it was lost, and hasn't come back.
  case lost = 5
  /// Has too little memory for a share of the job that runs, or of the next one.
  case tooSmall = 6

  package var name: String {
    switch self {
    case .active: "active"
    case .spare: "spare"
    case .draining: "draining"
    case .cordoned: "cordoned"
    case .lost: "lost"
    case .tooSmall: "small"
    }
  }
}
