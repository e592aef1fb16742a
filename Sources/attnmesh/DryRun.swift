internal import AttentionKernels
internal import MeshCore
internal import MeshRuntime
internal import MeshView

/// What `--dry-run` finds out of a job: what was found, what it would take, and every reason for which
/// it would be refused. Nothing is computed, sent or left behind.
struct DryRun: Encodable {
  /// One tensor that is read or would be written.
  struct Tensor: Encodable {
    var name: String
    var location: String
    var element: String
    var shape: [Int]
    var bytes: Int
  }

  /// What one kind of process needs, and what it may have.
  struct Memory: Encodable {
    var process: String
    var count: Int
    var bytes: Int
  }

  private(set) var tensors: [Tensor] = []
  private(set) var mask: String?
  private(set) var scale: Float?
  private(set) var flops: Double?
  private(set) var place: String?
  /// Those that would take part.
  private(set) var workers: Int?
  /// Of a mesh: all that are there, and why some of them would not take part.
  private(set) var workersHere: Int?
  private(set) var leftOut: [String] = []
  private(set) var threads: Int?
  private(set) var vranks: Int?
  private(set) var strategy: String?
  private(set) var strategyReason: String?
  private(set) var grid: String?
  private(set) var portions: Int?
  private(set) var memory: [Memory] = []
  private(set) var availableBytes: Int?
  private(set) var availableBy: String?
  private(set) var storeBytes: Int?
  private(set) var gflopsPerSecond: Double?
  private(set) var predictedSeconds: Double?
  private(set) var refusals: [String] = []

  /// Does a part of it, and notes why it would be refused.
  mutating func attempt<Value>(_ body: () throws -> Value) throws -> Value? {
    do {
      return try body()
    } catch let error as MeshError where [.badInput, .noRoom].contains(error.kind) {
      refuse(error.message)
      return nil
    }
  }

  /// Does a part of it that may tell several reasons.
  mutating func collect<Value>(
    _ body: ((String) throws(MeshError) -> Void) throws(MeshError) -> Value
  ) throws(MeshError) -> Value {
    var reasons: [String] = []
    let value = try body { reasons.append($0) }
    for reason in reasons { refuse(reason) }
    return value
  }

  private mutating func refuse(_ reason: String?) {
    if let reason, !refusals.contains(reason) { refusals.append(reason) }
  }

  /// The tensors, and what is to be computed of them.
  mutating func add(_ inputs: JobInputs) {
    tensors = inputs.spec.inputTensors.map { tensor in
      let file = inputs.found(tensor)
      return Tensor(
        name: "\(tensor)", location: file.location, element: file.element, shape: file.shape,
        bytes: file.byteCount)
    }
    mask = inputs.spec.maskText
    scale = inputs.spec.scale
    flops = inputs.spec.flops(blocks: inputs.blocks)
  }

  /// The files that would be written.
  mutating func add(_ result: OutputOptions, _ inputs: JobInputs) throws {
    guard let element = try attempt({ try result.element() }) else { return }
    let spec = inputs.spec
    tensors.append(
      Tensor(
        name: "output", location: result.output, element: element.name, shape: inputs.shape,
        bytes: spec.outputBytes / 4 * element.byteCount))
    guard let lse = result.lse else { return }
    tensors.append(
      Tensor(
        name: "lse", location: lse, element: "float32", shape: inputs.logSumExpShape,
        bytes: spec.logSumExpBytes))
  }

  mutating func add(_ admission: InProcessAdmission, threads: Int) {
    place = "this process"
    self.threads = threads
    portions = admission.portions.count
    memory = [Memory(process: "this process", count: 1, bytes: admission.bytes)]
    available(admission.room)
    refuse(admission.problem)
  }

  mutating func add(_ admission: LocalMeshAdmission, threadsPerWorker: Int) {
    place = "a coordinator and workers on this machine"
    workers = admission.workers
    threads = admission.workers * threadsPerWorker
    add(admission.plan, workers: admission.workers)
    memory = [
      Memory(
        process: "worker", count: admission.workers + admission.spares,
        bytes: admission.workerBytes),
      Memory(process: "coordinator", count: 1, bytes: admission.coordinatorBytes),
    ]
    if admission.fileBytes > 0 {
      memory.append(Memory(process: "files in memory", count: 1, bytes: admission.fileBytes))
    }
    available(admission.room)
    refuse(admission.problem)
  }

  /// Asks a mesh, which notes nothing.
  mutating func add(
    _ inputs: JobInputs, to client: MeshClient, isProtected: Bool
  ) throws {
    place = "the mesh of \(client.endpoint)"
    let admission: SubmitReply?
    do {
      admission = try attempt {
        try RemoteJob.admission(of: inputs, isProtected: isProtected, client: client)
      }
    } catch {
      // What was found before is true whether or not the mesh can be asked.
      for refusal in refusals { Attnmesh.complain(refusal) }
      throw error
    }
    guard case .workers(let all) = try client.call(.workers).orThrow() else { return }
    let fit = JobFit(
      inputs.spec, blocks: inputs.blocks, isProtected: isProtected, on: all.forJobs,
      memoryBytes: \.memoryBytes,
      threads: \.threads)
    let used = fit.isPossible ? fit.used : []
    workers = used.count
    workersHere = all.present.count
    leftOut = all.present.filter { one in !used.contains { $0.worker == one.worker } }
      .map { whyNot($0, fit) }
    threads = used.reduce(0) { $0 + $1.threads }
    add(fit.plan, workers: max(1, fit.used.count))
    guard let admission else { return }
    memory = [Memory(process: "worker", count: max(1, used.count), bytes: admission.workerBytes)]
    storeBytes = admission.diskBytes
  }

  /// How the job would be shared out.
  private mutating func add(_ plan: Plan, workers: Int) {
    vranks = plan.vrankCount
    strategy = plan.job.strategyName(plan.grid)
    strategyReason = plan.job.strategyReason(
      plan.grid, passesTiles: plan.grid.passes(workers: workers) > 0)
    grid = plan.grid.name
  }

  private func whyNot(_ worker: WorkerStatus, _ fit: JobFit<WorkerStatus>) -> String {
    switch worker.standing {
    case .draining: "\(worker.name) is leaving"
    case .cordoned: "\(worker.name) is cordoned"
    case _ where fit.estimate.fits(memoryBytes: worker.memoryBytes, threads: worker.threads):
      worker.standing == .spare ? "\(worker.name) is a spare" : "\(worker.name) isn't needed"
    default: "\(worker.name) has \(bytes(worker.memoryBytes))"
    }
  }

  private mutating func available(_ room: MemoryRoom) {
    availableBytes = room.bytes
    availableBy = room.limit
  }

  /// Folds for a moment, and takes all threads for as fast as those here. A job that is refused isn't
  /// worth it, and may have been for want of memory.
  mutating func predict(_ job: AttentionJob) throws {
    guard let threads, threads > 0, refusals.isEmpty else { return }
    let measured = min(threads, ProcessLimits.processors)
    let rate = try KernelRate.measure(
      job, kernel: AttentionKernel(level: try KernelLevel.chosen()), threads: measured)
    // Threads of this machine share its processors; others bring their own.
    let together = storeBytes == nil ? measured : threads
    let flopsPerSecond = rate.flopsPerSecond / Double(measured) * Double(together)
    gflopsPerSecond = flopsPerSecond / 1e9
    predictedSeconds = (flops ?? 0) / flopsPerSecond
  }
}
