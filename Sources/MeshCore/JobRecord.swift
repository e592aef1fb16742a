internal import AttentionMasks
internal import Checksums

/// A job as the coordinator knows it.
struct JobRecord: Sendable {
  let id: JobID
  /// Place in the order of submit.
  let number: Int
  let client: String
  /// The request that submitted it.
  let request: RequestID
  let spec: AttentionJob
  /// What its summaries tell of the mask. It takes a walk over all documents, and is asked for often.
  let maskText: String
  /// While the contents of its block map aren't known: of the mask without it.
  private(set) var flops: Double
  let isProtected: Bool
  let deadlineSeconds: Double
  /// At submit for the workers of then, and anew for those that it begins on.
  var estimate: MemoryEstimate
  let submittedAt: Duration
  /// What people call it; empty for nothing.
  let name: String
  /// By the clock on the wall, in seconds since 1970.
  let submittedWall: Double

  private(set) var state = JobState.uploading
  /// Before it became what it is.
  private(set) var stateBefore = JobState.uploading
  /// Whether anything of it is on disk.
  var isOnDisk = false
  /// Whether its terminal state is on disk.
  var isEndOnDisk = false
  private(set) var reason = ""
  /// The last workers that hadn't the memory for it.
  private(set) var unfitWorkers: [WorkerID] = []
  var lastUpload: Duration
  /// Waits for `create` or `seal` to be done.
  var waiting: [Coordinator.Ticket] = []
  private(set) var inputs: InputDigests?
  /// What its block map says, from when it is sealed until it is over.
  private(set) var blocks: BlockMap?
  var run: JobRun?
  var startedAt: Duration?
  var foldedAt: Duration?
  var finishingAt: Duration?
  var endedAt: Duration?
  /// Of each tensor of the result, once it is finished.
  var resultDigests: [Digest] = []
  /// The store has dropped everything of it: only the tombstone is left.
  var isDiscarded = false
  /// What became of the result, once it isn't kept any more; nil also where an earlier version let it
  /// go.
  var lastResult: ResultStatus?
  /// The result should be in the store and isn't.
  var isResultMissing = false

  init(
    id: JobID, number: Int, client: String, request: RequestID, submit: SubmitRequest,
    estimate: MemoryEstimate, at now: Duration, wallSeconds: Double
  ) {
    self.id = id
    self.number = number
    self.client = client
    self.request = request
    spec = submit.spec
    maskText = spec.maskText
    flops = spec.flops()
    isProtected = submit.isProtected
    // What no number of seconds says is no deadline; it goes to disk as text.
    deadlineSeconds = submit.deadlineSeconds.isFinite ? submit.deadlineSeconds : 0
    self.estimate = estimate
    submittedAt = now
    name = submit.name
    submittedWall = wallSeconds
    lastUpload = now
  }

  /// All its tensors are there.
  mutating func seal(_ inputs: InputDigests, _ blocks: BlockMap?) {
    self.inputs = inputs
    self.blocks = blocks
    if blocks != nil { flops = spec.flops(blocks: blocks) }
  }

  /// Whether it has a block map whose contents aren't known.
  var lacksBlocks: Bool { (spec.mask.blocks == nil) != (blocks == nil) }

  /// It is over: what is told of it is known.
  mutating func forgetBlocks() {
    blocks = nil
    run?.forgetBlocks()
  }

  /// When it fails, whatever its state.
  var deadline: Duration? {
    guard deadlineSeconds > 0, deadlineSeconds < 1e9 else { return nil }
    return submittedAt + .milliseconds(Int64(deadlineSeconds * 1_000))
  }

  /// A terminal state is set once; every other change goes forward.
  mutating func advance(to next: JobState, reason: String = "") {
    precondition(!state.isTerminal, "job \(id) is \(state.name) and can't become \(next.name)")
    precondition(next.rawValue > state.rawValue, "job \(id): \(state.name) to \(next.name)")
    (stateBefore, state) = (state, next)
    self.reason = reason
  }

  /// Why it waits, while it isn't terminal.
  ///
  /// - Parameter workers: those that haven't the memory for it. Whether others have is asked when
  ///   there are others.
  mutating func wait(_ reason: String, unfit workers: [WorkerID] = []) {
    precondition(!state.isTerminal)
    self.reason = reason
    unfitWorkers = workers
  }

  /// Bytes of the store it holds.
  var diskBytes: Int {
    if isDiscarded { return 0 }
    return state.isTerminal ? spec.resultBytes : estimate.diskBytes
  }
}

// MARK: On disk

extension JobRecord {
  func image(at now: Duration, writtenAt: Double) -> JobImage {
    JobImage(
      job: id, number: number, client: client, request: request, spec: spec,
      isProtected: isProtected, deadlineSeconds: deadlineSeconds,
      ageSeconds: (now - submittedAt).seconds, writtenAt: writtenAt, state: state, reason: reason,
      workerBytes: estimate.workerBytes, inputs: inputs,
      run: run?.image(ageSeconds: startedAt.map { (now - $0).seconds } ?? 0),
      outputDigest: nil, logSumExpDigest: nil, isDiscarded: isDiscarded,
      name: name.isEmpty ? nil : name, submittedAt: submittedWall, lastResult: lastResult,
      flops: spec.mask.blocks.map { _ in flops }, resultDigests: resultDigests)
  }

  /// The job as it was when the image was written.
  ///
  /// - Parameters:
  ///   - blocks: what its block map says, if it isn't over.
  ///   - gap: since then.
  init(_ image: JobImage, blocks: BlockMap?, gap: Duration, at now: Duration) {
    id = image.job
    number = image.number
    client = image.client
    request = image.request
    spec = image.spec
    maskText = spec.maskText
    flops = image.flops ?? spec.flops()
    isProtected = image.isProtected
    deadlineSeconds = image.deadlineSeconds
    estimate = MemoryEstimate(workerBytes: image.workerBytes, diskBytes: image.spec.storeBytes)
    submittedAt = now - gap - .milliseconds(Int64(image.ageSeconds * 1_000))
    name = image.name ?? ""
    submittedWall = image.submittedAt ?? image.writtenAt - image.ageSeconds
    lastUpload = now
    (stateBefore, state) = (image.state, image.state)
    isOnDisk = true
    isEndOnDisk = image.state.isTerminal
    reason = image.reason
    inputs = image.inputs
    self.blocks = image.state.isTerminal ? nil : blocks
    run = image.run.flatMap { run in
      let known = image.state.isTerminal ? image.spec.blocksUnknown : blocks
      guard (known == nil) == (image.spec.mask.blocks == nil) else { return nil }
      let plan = Plan(job: image.spec, vrankCount: run.table.vrankCount, blocks: known)
      return JobRun(run, plan: plan, at: now)
    }
    startedAt = image.run.map { now - gap - .milliseconds(Int64($0.ageSeconds * 1_000)) }
    foldedAt = image.state.isTerminal ? now - gap : image.state == .finishing ? now : nil
    finishingAt = image.state == .finishing ? now : nil
    endedAt = image.state.isTerminal ? now - gap : nil
    resultDigests =
      image.resultDigests ?? [image.outputDigest, image.logSumExpDigest].compactMap(\.self)
    isDiscarded = image.isDiscarded
    lastResult = image.lastResult
  }
}
