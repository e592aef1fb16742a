internal import Checksums

/// A job as the coordinator knows it.
struct JobRecord: Sendable {
  let id: JobID
  let client: String
  let spec: AttentionJob
  let estimate: MemoryEstimate
  let submittedAt: Duration
  /// When it fails, whatever its state.
  let deadline: Duration?

  private(set) var state = JobState.uploading
  private(set) var reason = ""
  var lastUpload: Duration
  /// Waits for `create` or `seal` to be done.
  var waiting: [Coordinator.Ticket] = []
  var inputs: InputDigests?
  var run: JobRun?
  var startedAt: Duration?
  var foldedAt: Duration?
  var finishingAt: Duration?
  var endedAt: Duration?
  var outputDigest: Digest?
  var logSumExpDigest: Digest?
  /// The store has dropped everything of it: only the tombstone is left.
  var isDiscarded = false

  init(
    id: JobID, client: String, spec: AttentionJob, estimate: MemoryEstimate, at now: Duration,
    deadline: Duration?
  ) {
    self.id = id
    self.client = client
    self.spec = spec
    self.estimate = estimate
    submittedAt = now
    lastUpload = now
    self.deadline = deadline
  }

  /// A terminal state is set once; every other change goes forward.
  mutating func advance(to next: JobState, reason: String = "") {
    precondition(!state.isTerminal, "job \(id) is \(state.name) and can't become \(next.name)")
    precondition(next.rawValue > state.rawValue, "job \(id): \(state.name) to \(next.name)")
    state = next
    self.reason = reason
  }

  /// Why it waits, while it is queued.
  mutating func wait(_ reason: String) {
    precondition(state == .queued)
    self.reason = reason
  }

  /// Bytes of the store it holds.
  var diskBytes: Int {
    if isDiscarded { return 0 }
    return state.isTerminal ? spec.outputBytes + spec.logSumExpBytes : estimate.diskBytes
  }
}

/// A job that has been given workers.
struct JobRun: Sendable {
  let plan: Plan
  let assignment: Assignment
  /// Of each peer: its name when it was assigned, so that it can be told after it is gone.
  let workers: [WorkerMessage.Hello]
  var next: [Int]
  var isFinal: [Bool]
  var traffic: [Traffic]
  var residentBytes: [Int]
  /// K/V tiles that each rank folds, and all of them together.
  let needed: [Int]
  let total: Int
  /// K/V payload bytes that have to cross between workers, at the least.
  let neededBytes: Int
  /// Whether each peer has given its final counters.
  var hasReported: [Bool]

  init(plan: Plan, assignment: Assignment, workers: [WorkerMessage.Hello]) {
    self.plan = plan
    self.assignment = assignment
    self.workers = workers
    needed = plan.vranks.map { plan.neededKeyTiles(of: $0) }
    total = needed.reduce(0, +)
    neededBytes = Ring(plan: plan, assignment: assignment).neededBytes
    next = [Int](repeating: 0, count: plan.vrankCount)
    isFinal = [Bool](repeating: false, count: plan.vrankCount)
    traffic = [Traffic](repeating: Traffic(), count: workers.count)
    residentBytes = [Int](repeating: 0, count: workers.count)
    hasReported = [Bool](repeating: false, count: workers.count)
  }

  func peer(of worker: WorkerID) -> Int? {
    assignment.peers.firstIndex { $0.worker == worker }
  }

  /// The rank of a worker that is furthest behind: what its loss is told by.
  func slowestRank(ofPeer peer: Int) -> VRank? {
    plan.vranks
      .filter { assignment.hosts[$0.index].peer == peer && !isFinal[$0.index] }
      .min { next[$0.index] < next[$1.index] }
  }

  var folded: Int { next.reduce(0, +) }
}
