internal import ElementTypes
internal import MeshCore
internal import MeshRuntime

/// What `--json` prints: stable names, whatever the code calls them.

struct SummaryView: Encodable {
  var job: String
  var name: String
  var client: String
  var state: String
  var reason: String
  /// Times are ISO 8601 in UTC.
  var submittedAt: String
  var deadlineAt: String?
  /// none, kept, discarded, expired or missing.
  var result: String
  var resultExpiresAt: String?
  var resultGoneAt: String?
  var resultGoneBy: String?
  var tilesFolded: Int
  var tilesTotal: Int
  var ageSeconds: Double
  var wallSeconds: Double
  var batch: Int
  var queryHeads: Int
  var keyValueHeads: Int
  var queryTokens: Int
  var keyTokens: Int
  var headDimension: Int
  var element: String
  var mask: String
  var layout: String
  /// As it was asked for.
  var strategy: String

  init(_ job: JobSummary) {
    self.job = "\(job.job)"
    name = job.name
    client = job.client
    state = job.state.name
    reason = job.reason
    submittedAt = utc(job.submittedAt)
    deadlineAt = job.deadlineAt.map { utc($0) }
    result = job.result.state.name
    let time = job.result.at.map { utc($0) }
    if job.result.state == .kept { resultExpiresAt = time } else { resultGoneAt = time }
    if !job.result.client.isEmpty { resultGoneBy = job.result.client }
    tilesFolded = job.folded
    tilesTotal = job.total
    ageSeconds = job.ageSeconds
    wallSeconds = job.wallSeconds
    batch = job.spec.batch
    queryHeads = job.spec.queryHeads
    keyValueHeads = job.spec.keyValueHeads
    queryTokens = job.spec.queryTokens
    keyTokens = job.spec.keyTokens
    headDimension = job.spec.headDimension
    element = job.spec.element.name
    mask = job.mask
    layout = job.spec.layout.name
    strategy = job.spec.strategy.name
  }
}

struct JobView: Encodable {
  struct Rank: Encodable {
    var vrank: Int
    var worker: String
    var epoch: String
    var next: Int
    var needed: Int
    var copied: Int
    var durable: Int
    var final: Bool
  }

  struct Worker: Encodable {
    var name: String
    var level: String
    var threads: Int
    var residentBytes: Int
    var traffic: Traffic
  }

  var summary: SummaryView
  var queuePosition: Int
  var vranks: Int
  /// What the strategy came to, once the job has its ranks.
  var strategy: String?
  var strategyReason: String?
  var grid: String?
  var planHash: String?
  var ranks: [Rank]
  var workers: [Worker]
  var protection: String
  var recoveries: [RecoveryView]
  var bytesNeeded: Int
  var workerBytesBound: Int
  var outputDigest: String?
  var lseDigest: String?

  init(_ status: JobStatus) {
    summary = SummaryView(status.summary)
    queuePosition = status.queuePosition
    vranks = status.vrankCount
    strategy = status.strategy?.name
    strategyReason = status.strategy?.reason
    grid = status.strategy?.grid.name
    planHash = status.planHash.map { "\($0)" }
    ranks = status.ranks.map {
      Rank(
        vrank: $0.vrank.index, worker: $0.worker, epoch: "\($0.epoch)", next: $0.next,
        needed: $0.needed, copied: $0.copied, durable: $0.durable, final: $0.isFinal)
    }
    workers = status.workers.map {
      Worker(
        name: $0.name, level: $0.level, threads: $0.threads, residentBytes: $0.residentBytes,
        traffic: $0.traffic)
    }
    protection = status.protectionName
    recoveries = status.recoveries.map { RecoveryView($0) }
    bytesNeeded = status.neededBytes
    workerBytesBound = status.workerBytes
    outputDigest = status.outputDigest.map { "\($0)" }
    lseDigest = status.logSumExpDigest.map { "\($0)" }
  }
}

struct WorkerView: Encodable {
  var worker: String
  var name: String
  var process: Int
  var numerics: String
  var level: String
  var threads: Int
  var memoryBytes: Int
  var residentBytes: Int
  var endpoint: String
  var silentSeconds: Double
  var job: String?
  var vranks: [Int]
  var standing: String
  /// When and why it was lost; only of one that is lost.
  var lostAt: String?
  var lostReason: String?

  init(_ status: WorkerStatus) {
    worker = "\(status.worker)"
    name = status.name
    process = status.processID
    numerics = status.numerics
    level = status.level
    threads = status.threads
    memoryBytes = status.memoryBytes
    residentBytes = status.residentBytes
    endpoint = status.endpoint
    silentSeconds = status.silentSeconds
    job = status.job.map { "\($0)" }
    vranks = status.vranks.map(\.index)
    standing = status.standing.name
    lostAt = status.loss.map { utc($0.at) }
    lostReason = status.loss?.reason
  }
}

struct EventView: Encodable {
  var sequence: UInt64
  /// ISO 8601 in UTC.
  var time: String
  /// Since the coordinator started; below 0 for what an earlier one saw.
  var seconds: Double
  var kind: String
  var job: String?
  var worker: String?
  var vrank: Int?
  var detail: String

  init(_ event: RecordedEvent) {
    sequence = event.sequence
    time = utcMilliseconds(event.wallSeconds)
    seconds = event.seconds
    kind = event.observation.kind.name
    job = event.observation.job.map { "\($0)" }
    worker = event.observation.worker
    vrank = event.observation.vrank?.index
    detail = event.observation.detail
  }
}
