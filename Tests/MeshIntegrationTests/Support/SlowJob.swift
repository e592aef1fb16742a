/// A job that is small and still takes seconds, as its workers take their time: so that something can
/// be done in the middle of it, on any machine.
struct SlowJob {
  let flags: [String]
  /// The bytes of one process that nothing happens to.
  let alone: Attended

  /// - Parameter tokens: of as many keys as queries; about a second per thousand with three workers.
  init(_ scratch: Scratch, tokens: Int = 3_001) throws {
    flags =
      try JobTensors.fixture(heads: 3, keyHeads: 1, tokens: tokens)
      .write(to: scratch, name: "slow-") + ["--mask", "causal"]
    alone = try scratch.attend(flags, name: "alone")
  }

  /// The environment of workers that take their time.
  static let environment = slowness()

  /// - Parameters:
  ///   - milliseconds: for each head of 64 rows, up to two tiles at once.
  ///   - more: other faults.
  static func slowness(_ milliseconds: Int = 10, _ more: String...) -> [String: String] {
    let points = ["compute:delay:\(milliseconds)"] + more
    return ["ATTNMESH_FAILPOINT": points.joined(separator: ",")]
  }
}

extension Mesh {
  /// Of them those that were lost: who is done early may be given another's rank, handed over and not
  /// lost, when and how often depends on how busy the machine is.
  func losses(_ job: String) throws -> [Recovered] {
    try recoveries(job).filter { $0.cause != "handed over" }
  }

  /// What befell the job's ranks.
  func recoveries(_ job: String) throws -> [Recovered] {
    let list = try status(job)["recoveries"] as? [[String: Any]] ?? []
    return try list.map { try Recovered($0) }
  }

  func ranks(_ job: String) throws -> [[String: Any]] {
    try status(job)["ranks"] as? [[String: Any]] ?? []
  }

  /// Whether the worker hosts a rank of the job that isn't final.
  func isHosting(_ worker: String, _ job: String) throws -> Bool {
    try ranks(job).contains {
      $0["worker"] as? String == worker && $0["final"] as? Bool == false
    }
  }

  /// Waits until what every rank has folded is in another worker's memory.
  func waitUntilCopied(_ job: String, protection: String = "peer") throws {
    try waitUntil(job, "copies") { status in
      (status["protection"] as? String)?.hasPrefix(protection) == true
    }
  }

  /// Waits for something that must happen while the job runs.
  func waitUntil(
    _ job: String, _ what: String, isTrue: ([String: Any]) throws -> Bool
  ) throws {
    try waitUntilFolding(job)
    try eventually(what) {
      let status = try status(job)
      let summary = status["summary"] as? [String: Any] ?? [:]
      guard summary["state"] as? String == "running" else {
        throw HarnessError(
          "\(what): job \(job) is \(summary["state"] ?? ""): \(summary["reason"] ?? "")")
      }
      return try isTrue(status)
    }
  }

  /// Events of this kind that the coordinator keeps.
  func events(_ kind: String) throws -> [[String: Any]] {
    try jsonLines(output(["events", "--json"])).filter { $0["kind"] as? String == kind }
  }

  /// What `workers --json` says of one of them.
  func worker(_ name: String) throws -> [String: Any]? {
    let workers = try json(output(["workers", "--json"])) as? [[String: Any]] ?? []
    return workers.first { $0["name"] as? String == name }
  }

  /// Names of the workers that are there.
  func workerNames() throws -> [String] {
    let workers = try json(output(["workers", "--json"])) as? [[String: Any]] ?? []
    return workers.filter { $0["standing"] as? String != "lost" }
      .compactMap { $0["name"] as? String }
  }
}

/// One entry of a job's `recoveries`.
struct Recovered {
  var vrank: Int
  var worker: String
  var process: Int
  var cause: String
  var host: String
  var tier: String?
  var refolded: Int?
  var detectionSeconds: Double
  var recoverySeconds: Double?

  init(_ object: [String: Any]) throws {
    guard let vrank = object["vrank"] as? Int, let worker = object["worker"] as? String,
      let process = object["process"] as? Int, let cause = object["cause"] as? String,
      let host = object["host"] as? String,
      let detection = object["detection_seconds"] as? Double
    else { throw HarnessError("no recovery: \(object)") }
    (self.vrank, self.worker, self.process, self.cause) = (vrank, worker, process, cause)
    (self.host, detectionSeconds) = (host, detection)
    tier = object["tier"] as? String
    refolded = object["tiles_refolded"] as? Int
    recoverySeconds = object["recovery_seconds"] as? Double
  }
}
