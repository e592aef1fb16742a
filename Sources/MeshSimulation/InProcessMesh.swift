package import AttentionKernels
internal import FoldEngine
package import MeshCore

/// A whole mesh in one thread: the real coordinator and worker cores, the real arithmetic, and a
/// network that loses nothing. Every effect is carried out at once; events are delivered in the order
/// in which they were sent or, under a seed, in any that sockets could bring about.
package struct InProcessMesh {
  struct Host {
    var core: Worker
    var engine: FoldEngine?
    var results: [VRank: RankResult] = [:]
    var audit = WorkerAudit()
  }

  let kernel: AttentionKernel
  var coordinator: Coordinator
  var hosts: [Host]
  var network: Network
  var tensors: MemoryTensors
  var job: JobID?
  var plan: Plan?
  var tileBytes = 0
  private var now = Duration.zero
  private var lastRequest: UInt64 = 0
  private var status: JobStatus?

  /// How a run ended.
  package struct Outcome {
    package let tensors: MemoryTensors
    package let status: JobStatus
    /// K/V payload bytes that went from worker to worker.
    package let tileBytes: Int
    /// What a worker did that it must never do.
    package let breach: String?
    /// The most that each worker held at a time.
    package let peaks: [WorkerAudit.Peaks]
  }

  /// - Parameter seed: of the order in which events arrive; nil for the order of sending.
  package init(
    workers: Int, kernel: AttentionKernel, tensors: MemoryTensors, seed: UInt64? = nil
  ) {
    self.kernel = kernel
    self.tensors = tensors
    network = Network(seed: seed)
    coordinator = Coordinator(
      configuration: Coordinator.Configuration(
        term: 1, storeEndpoint: "store", diskQuotaBytes: .max, retention: .seconds(3_600), seed: 1))
    hosts = (0..<workers).map { index in
      Host(
        core: Worker(
          hello: WorkerMessage.Hello(
            worker: WorkerID(incarnation: UInt64(index) &+ 100), name: "worker-\(index + 1)",
            processID: 0, version: protocolVersion, numerics: kernel.level.arithmeticClass,
            level: kernel.level.name, threads: 1, memoryBytes: .max, endpoint: "\(index)")))
    }
  }

  /// Runs one job to its end.
  ///
  /// - Returns: nil if the mesh came to rest without ending the job: a bug.
  package mutating func run(_ spec: AttentionJob) -> Outcome? {
    for index in hosts.indices { handle(.tick, by: index) }
    drain()
    call(.submit(SubmitRequest(spec: spec, deadlineSeconds: 0)))
    drain()
    guard let job else { return nil }
    call(.status(job))
    drain()
    guard let status, status.summary.state.isTerminal else { return nil }
    let breaches = hosts.indices.compactMap { index in
      hosts[index].audit.breach.map { "worker \(index + 1) \($0)" }
    }
    return Outcome(
      tensors: tensors, status: status, tileBytes: tileBytes, breach: breaches.first,
      peaks: hosts.map(\.audit.peaks))
  }

  private mutating func drain() {
    while let delivery = network.next() {
      now += .microseconds(10)
      switch delivery {
      case .coordinator(let event):
        for effect in coordinator.handle(event, at: now) { act(effect) }
      case .worker(let index, let event): handle(event, by: index)
      }
    }
  }

  private mutating func handle(_ event: Worker.Event, by index: Int) {
    hosts[index].audit.note(event)
    let worker = hosts[index].core.hello.worker
    for effect in hosts[index].core.handle(event, at: now) {
      hosts[index].audit.note(effect, worker: worker)
      act(effect, by: index)
    }
  }

  // MARK: The client

  private mutating func call(_ request: CallRequest) {
    lastRequest += 1
    let header = CallHeader(
      request: RequestID(high: 0, low: lastRequest), role: .client, client: "test",
      method: request.method.rawValue, remaining: .seconds(60))
    let ticket = Coordinator.Ticket(caller: 0, request: header.request)
    network.send(.coordinator(.call(header, request, ticket)), from: .client)
  }

  mutating func receive(_ outcome: CallOutcome) {
    switch outcome {
    case .success(.submitted(let reply)):
      job = reply.job
      call(.start(reply.job))
    case .success(.status(let status)): self.status = status
    default: break
    }
  }
}
