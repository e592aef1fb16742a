import Checksums
import ElementTypes
import MeshCore
import MeshWire

/// One message or more of every kind, with ordinary and with extreme values.
enum Samples {
  static let jobs = [
    JobID(high: 0, low: 0), JobID(high: .max, low: .max),
    JobID(high: 0x0123_4567_89AB_CDEF, low: 0xFEDC_BA98_7654_3210),
  ]
  static let job = jobs[2]
  static let epochs = [
    Epoch(term: 0, counter: 0), Epoch(term: .max, counter: .max), Epoch(term: 3, counter: 77),
  ]
  static let epoch = epochs[2]
  static let worker = WorkerID(incarnation: 0xDEAD_BEEF_0000_0001)
  static let request = RequestID(high: 17, low: .max)

  static let spec = AttentionJob(
    batch: 2, queryHeads: 8, keyValueHeads: 2, queryTokens: 2_048, keyTokens: 4_096,
    headDimension: 128, element: .bfloat16, mask: .causal, scale: 0.088_388_35, layout: .zigzag,
    vranks: 6)
  static let largestSpec = AttentionJob(
    batch: 1, queryHeads: Limits.headsMaximum, keyValueHeads: Limits.headsMaximum,
    queryTokens: Limits.tokensMaximum, keyTokens: Limits.tokensMaximum,
    headDimension: Limits.headDimensionMaximum, element: .float32, mask: .full,
    scale: -.greatestFiniteMagnitude, layout: .contiguous, vranks: Limits.vranksMaximum)
  static let smallestSpec = AttentionJob(
    batch: 1, queryHeads: 1, keyValueHeads: 1, queryTokens: 1, keyTokens: 1, headDimension: 1,
    element: .float16, mask: .full, scale: 0, layout: .contiguous, axes: .tokensFirst)
  /// The most that a job may say of its mask and its logits.
  static let maskedSpec = AttentionJob(
    batch: 2, queryHeads: LogitRule.headsMaximum, keyValueHeads: 1,
    queryTokens: Limits.tokensMaximum, keyTokens: Limits.tokensMaximum - 1, headDimension: 1,
    element: .float32,
    mask: MaskRule(
      left: MaskRule.tokensMaximum, right: 0, sinkTokens: 1,
      documents: MaskRule.Documents(
        queries: documents(of: Limits.tokensMaximum),
        keys: documents(of: Limits.tokensMaximum - 1).reversed()),
      blocks: MaskRule.Block(
        queries: 1 << 20, keys: MaskRule.tokensMaximum, isPerHead: true)),
    logits: LogitRule(
      softcap: 1e30, alibiSlopes: heads { Float($0) / 3 }, sinkLogits: heads { -Float($0) }),
    scale: 1, layout: .contiguous)
  static let specs = [spec, largestSpec, smallestSpec, maskedSpec, gridSpec]
  /// A grid that was asked for.
  static let gridSpec: AttentionJob = {
    var job = spec
    job.layout = .striped
    job.strategy = .usp
    job.grid = Grid(groups: 4, shards: 5)
    job.vranks = 20
    job.headCuts = 4
    return job
  }()

  private static func documents(of tokens: Int) -> [Int] {
    [tokens] + Array(repeating: 0, count: MaskRule.documentsMaximum - 1)
  }

  private static func heads(_ value: (Int) -> Float) -> [Float] {
    (0..<LogitRule.headsMaximum).map(value)
  }

  static func digest(_ seed: UInt8) -> Digest { SHA256.hash([seed]) }

  static var traffic: Traffic {
    var traffic = Traffic()
    traffic.tileBytes = 1 << 60
    traffic.inputBytes = 1
    traffic.resultBytes = 123_456_789
    traffic.copyBytes = 1 << 60
    traffic.receivedBytes = 1 << 60
    traffic.dropped = 7
    traffic.computeSeconds = 12.5
    traffic.waitSeconds = .leastNonzeroMagnitude
    return traffic
  }

  static let publicKey = PublicKey("mfy/gtA2IzP/EcYbw9gqt}F!?.f*^=b+=3@-w1XN")

  static var workerMessages: [WorkerMessage] {
    [
      .hello(
        WorkerMessage.Hello(
          worker: worker, name: "worker-ä", processID: Int(Int32.max), version: protocolVersion,
          numerics: "fma-f32-v1", level: "avx512", threads: 65_535, memoryBytes: 1 << 60,
          endpoint: "ipc:///run/attnmesh/w0", publicKey: publicKey, machine: "rack-ü/7",
          isSpare: true, isCordoned: true, term: .max)),
      .hello(
        WorkerMessage.Hello(
          worker: worker, name: "", processID: 0, version: 0, numerics: "", level: "", threads: 0,
          memoryBytes: 0, endpoint: "")),
      .heartbeat(
        WorkerMessage.Heartbeat(
          job: nil, term: 0, progress: [], traffic: Traffic(), residentBytes: 0)),
      .heartbeat(
        WorkerMessage.Heartbeat(
          job: job, revision: epochs[1], term: .max, progress: progress(12), held: held(3),
          unreachable: [worker, WorkerID(incarnation: .max)], computation: computation,
          traffic: traffic, residentBytes: 1 << 60, isLast: true,
          isCordoned: true)),
      .failed(jobs[0], VRank(0), step: 0, reason: ""),
      .failed(jobs[1], VRank(255), step: 65_536, reason: "out of memory: 💥"),
      .alarm(jobs[1], VRank(3), reason: "no space left on device"),
      .alarm(job, VRank(0), reason: ""),
      .leaving, .goodbye,
    ]
  }

  static var coordinatorMessages: [CoordinatorMessage] {
    [
      .welcome(term: 9, storeEndpoint: "tcp://[::1]:7000"), .welcome(term: 0, storeEndpoint: ""),
      .refused(.failedPrecondition, reason: "numerics sse-f32-v1"), .refused(.ok, reason: ""),
      .beat(term: 0), .beat(term: .max), .assign(assignment(peers: 1), term: 1),
      .assign(assignment(peers: 4), term: .max), .release(job, isOver: false, term: 5),
      .release(jobs[1], isOver: true, term: .max),
      .introduce(term: 0), .introduce(term: .max), .leave(term: 0), .leave(term: 6),
      .drain(term: 0), .drain(term: .max), .cordon(true, term: 0), .cordon(false, term: .max),
    ]
  }

  static func header(_ method: Method, version: Int = protocolVersion) -> CallHeader {
    CallHeader(
      version: version, request: request, role: .client, client: "ann@host",
      method: method.rawValue, remaining: .milliseconds(2_500))
  }

  static var requests: [CallRequest] {
    specs.map { .submit(SubmitRequest(spec: $0, deadlineSeconds: 1e9)) } + [
      .submit(SubmitRequest(spec: spec, deadlineSeconds: 0, isProtected: false)), .start(job),
      .submit(SubmitRequest(spec: spec, deadlineSeconds: 0, isDryRun: true)),
      .status(jobs[0]), .list(), .remove(job),
      .list(
        ListRequest(
          before: 1 << 60, limit: 1, states: JobState.allCases,
          prefix: String(repeating: "aF", count: 16))),
      .cancel(jobs[1]), .result(job), .discard(job), .workers,
      .drain("worker-ä"), .drain(""), .mesh,
      .cordon("worker-ä", isLifted: false), .cordon("", isLifted: true),
      .events(EventsRequest(after: 0, job: nil)),
      .events(EventsRequest(after: .max, job: job, term: .max)),
      .submit(SubmitRequest(spec: spec, deadlineSeconds: 0, name: "nächtlich 7")),
    ]
  }
}
