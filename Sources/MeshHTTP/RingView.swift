internal import MeshCore
internal import MeshRuntime

/// What the page asks for several times a second: stable names, whatever the code calls them. Times
/// called `seconds` or ending in `_at` are by the coordinator's clock, which began with its process.
struct RingView: Encodable {
  var seconds: Double
  /// Since the loop published this.
  var ageSeconds: Double
  var term: UInt64
  /// Empty when all is well.
  var problem: String
  var notReady: String
  var loopLagSeconds: Double
  var storeUsedBytes: Int
  var storeQuotaBytes: Int
  var tilesFolded: Int
  var queueLength: Int
  var jobCounts: [String: Int]
  var workers: [Worker]
  var departed: [Departed]
  var job: RunningJob?
  var jobs: [JobLine]
  var events: [Event]

  init(_ report: CoordinatorReport, age: Double) {
    let snapshot = report.snapshot
    seconds = snapshot.seconds + age
    ageSeconds = age
    term = snapshot.term
    problem = report.problem(age: age) ?? ""
    notReady = report.notReady(age: age) ?? ""
    loopLagSeconds = report.loopLagSeconds
    storeUsedBytes = snapshot.storeUsedBytes
    storeQuotaBytes = snapshot.storeQuotaBytes
    tilesFolded = report.counters.tilesFolded
    queueLength = report.queueLength
    jobCounts = Dictionary(
      zip(JobState.allCases.map(\.name), snapshot.jobCounts), uniquingKeysWith: { $1 })
    workers = snapshot.workers.map {
      Worker($0, total: report.counters.workerTraffic[$0.status.name] ?? Traffic())
    }
    departed = report.departed.map {
      Departed(name: $0.name, isLost: $0.isLost, reason: $0.reason, seconds: $0.seconds)
    }
    job = snapshot.focus.map { RunningJob($0, startedAt: snapshot.focusStartedSeconds) }
    jobs = snapshot.jobs.map { JobLine($0) }
    events = snapshot.events.map { Event($0) }
  }
}

extension RingView {
  /// A worker that is there.
  struct Worker: Encodable {
    var name: String
    var standing: String
    var machine: String
    var level: String
    var threads: Int
    var memoryBytes: Int
    var residentPeakBytes: Int
    var silentSeconds: Double
    var stuckSeconds: Double
    var isBusy: Bool
    var isStraggler: Bool
    var vranks: [Int]
    /// Sent since the coordinator began, by purpose.
    var tileBytes: Int
    var inputBytes: Int
    var resultBytes: Int
    var copyBytes: Int
    var computeSeconds: Double
    var waitSeconds: Double

    init(_ member: CoordinatorSnapshot.MemberSnapshot, total: Traffic) {
      let status = member.status
      name = status.name
      standing = status.standing.name
      machine = member.machine
      level = status.level
      threads = status.threads
      memoryBytes = status.memoryBytes
      residentPeakBytes = status.residentBytes
      silentSeconds = status.silentSeconds
      stuckSeconds = member.stuckSeconds
      isBusy = member.isBusy
      isStraggler = member.isStraggler
      vranks = status.vranks.map(\.index)
      tileBytes = total.tileBytes
      inputBytes = total.inputBytes
      resultBytes = total.resultBytes
      copyBytes = total.copyBytes
      computeSeconds = total.computeSeconds
      waitSeconds = total.waitSeconds
    }
  }

  /// A worker that has gone and not come back.
  struct Departed: Encodable {
    var name: String
    var isLost: Bool
    var reason: String
    var seconds: Double
  }

  /// The job that has the workers, or the last one that had.
  struct RunningJob: Encodable {
    var id: String
    var client: String
    var state: String
    var reason: String
    var shape: String
    var folded: Int
    var total: Int
    var wallSeconds: Double
    var startedAt: Double
    var protection: String
    var unprotectedTiles: Int
    /// Names of all that took part, in the order of the ring.
    var ring: [String]
    var ranks: [Rank]
    var recoveries: [RecoveryLine]

    init(_ status: JobStatus, startedAt: Double) {
      let summary = status.summary
      id = "\(summary.job)"
      client = summary.client
      state = summary.state.name
      reason = summary.reason
      shape = summary.shapeText
      folded = summary.folded
      total = summary.total
      wallSeconds = summary.wallSeconds
      self.startedAt = startedAt
      protection = status.protectionName
      unprotectedTiles = status.unprotectedTiles
      ring = status.workers.map(\.name)
      ranks = status.ranks.map { Rank($0) }
      recoveries = status.recoveries.enumerated().map {
        RecoveryLine($1, outcome: status.source(ofRecovery: $0), startedAt: startedAt)
      }
    }
  }

  struct Rank: Encodable {
    var vrank: Int
    var worker: String
    var epoch: String
    var next: Int
    var needed: Int
    var copied: Int
    var durable: Int
    var isFinal: Bool

    init(_ rank: RankStatus) {
      vrank = rank.vrank.index
      worker = rank.worker
      epoch = "\(rank.epoch)"
      next = rank.next
      needed = rank.needed
      copied = rank.copied
      durable = rank.durable
      isFinal = rank.isFinal
    }
  }

  /// A rank that went on elsewhere.
  struct RecoveryLine: Encodable {
    var vrank: Int
    var from: String
    var to: String
    var cause: String
    var seconds: Double
    var detectionSeconds: Double
    var source: String?
    /// The source, or why there is none: "looking", "lost again", "finished", "job ended".
    var outcome: String
    var lostAtTile: Int
    var restoredAtTile: Int?
    var restoreSeconds: Double?
    var caughtUpSeconds: Double?

    init(_ recovery: Recovery, outcome: String, startedAt: Double) {
      vrank = recovery.vrank.index
      from = recovery.worker
      to = recovery.host
      cause = recovery.cause
      seconds = startedAt + recovery.atSeconds
      detectionSeconds = recovery.detectionSeconds
      source = recovery.restored?.tier.name
      self.outcome = outcome
      lostAtTile = recovery.lostAt
      restoredAtTile = recovery.restored?.next
      restoreSeconds = recovery.restoreSeconds
      caughtUpSeconds = recovery.caughtUpSeconds
    }
  }

  struct JobLine: Encodable {
    var id: String
    /// What people call it; empty for nothing.
    var name: String
    var client: String
    var state: String
    var reason: String
    var folded: Int
    var total: Int
    var ageSeconds: Double
    var wallSeconds: Double

    init(_ job: JobSummary) {
      id = "\(job.job)"
      name = printable(job.name)
      client = job.client
      state = job.state.name
      reason = job.reason
      folded = job.folded
      total = job.total
      ageSeconds = job.ageSeconds
      wallSeconds = job.wallSeconds
    }
  }

  struct Event: Encodable {
    var number: UInt64
    var seconds: Double
    /// ISO 8601 in UTC.
    var time: String
    var kind: String
    var job: String?
    var worker: String?
    var vrank: Int?
    var detail: String

    init(_ event: RecordedEvent) {
      number = event.sequence
      seconds = event.seconds
      time = utcMilliseconds(event.wallSeconds)
      kind = event.observation.kind.name
      job = event.observation.job.map { "\($0)" }
      worker = event.observation.worker
      vrank = event.observation.vrank?.index
      detail = event.observation.detail
    }
  }
}
