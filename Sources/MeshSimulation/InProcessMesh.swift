package import AttentionKernels
internal import Checksums
internal import FoldEngine
package import MeshCore

/// A whole mesh in one thread: the real coordinator and worker cores, the real arithmetic, and a
/// perfect network. Every effect is carried out at once, every event is delivered in order.
package struct InProcessMesh {
  private enum Delivery {
    case coordinator(Coordinator.Event)
    case worker(Int, Worker.Event)
  }

  private struct Host {
    var core: Worker
    var engine: FoldEngine?
    var results: [VRank: RankResult] = [:]
  }

  private var coordinator: Coordinator
  private var hosts: [Host]
  private let kernel: AttentionKernel
  private var tensors: MemoryTensors
  private var queue: [Delivery] = []
  private var now = Duration.zero
  private var job: JobID?
  private var plan: Plan?
  private let ticket = Coordinator.Ticket(caller: 0, request: RequestID(high: 0, low: 1))

  /// How a run ended.
  package struct Outcome {
    package let tensors: MemoryTensors
    package let status: JobStatus
    /// K/V payload bytes that went from worker to worker.
    package let tileBytes: Int
  }

  private var tileBytes = 0
  private var status: JobStatus?

  package init(workers: Int, kernel: AttentionKernel, tensors: MemoryTensors) {
    self.kernel = kernel
    self.tensors = tensors
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
    for index in hosts.indices { act(hosts[index].core.handle(.tick, at: now), by: index) }
    drain()
    let header = CallHeader(
      request: ticket.request, role: .client, client: "test", method: Method.submit.rawValue,
      remaining: .seconds(60))
    let request = SubmitRequest(spec: spec, deadlineSeconds: 0)
    queue.append(.coordinator(.call(header, .submit(request), ticket)))
    drain()
    guard let job, let status, status.summary.state.isTerminal else { return nil }
    precondition(status.summary.job == job)
    return Outcome(tensors: tensors, status: status, tileBytes: tileBytes)
  }

  private mutating func drain() {
    var next = 0
    while next < queue.count {
      let delivery = queue[next]
      next += 1
      now += .microseconds(10)
      switch delivery {
      case .coordinator(let event): act(coordinator.handle(event, at: now))
      case .worker(let index, let event): act(hosts[index].core.handle(event, at: now), by: index)
      }
    }
    queue = []
  }

  // MARK: Effects of the coordinator

  private mutating func act(_ effects: [Coordinator.Effect]) {
    for effect in effects {
      switch effect {
      case .send(let message, let worker):
        guard let index = hosts.firstIndex(where: { $0.core.hello.worker == worker }) else {
          continue
        }
        queue.append(.worker(index, .coordinator(message)))
      case .reply(.success(.submitted(let reply)), _):
        job = reply.job
        call(.start(reply.job), id: 2)
      case .reply(.success(.status(let status)), _): self.status = status
      case .reply(_, _): break
      case .store(let command): act(command)
      case .observe(let observation):
        if [.jobDone, .jobFailed].contains(observation.kind), let job { call(.status(job), id: 3) }
      }
    }
  }

  private mutating func call(_ request: CallRequest, id: UInt64) {
    let header = CallHeader(
      request: RequestID(high: 0, low: id), role: .client, client: "test",
      method: request.method.rawValue, remaining: .seconds(60))
    let ticket = Coordinator.Ticket(caller: 0, request: header.request)
    queue.append(.coordinator(.call(header, request, ticket)))
  }

  private mutating func act(_ command: StoreCommand) {
    switch command {
    case .create(let job, _): queue.append(.coordinator(.store(.created(job))))
    case .seal(let job): queue.append(.coordinator(.store(.sealed(job, tensors.digests))))
    case .begin(_, let plan, _, _): self.plan = plan
    case .acknowledge(let job, let vrank, let epoch):
      let receipt = ResultReceipt(job: job, vrank: vrank, epoch: epoch, message: -1, status: .ok)
      for index in hosts.indices where hosts[index].results[vrank] != nil {
        queue.append(.worker(index, .receipt(receipt)))
      }
    case .finish(let job):
      queue.append(
        .coordinator(
          .store(
            .finished(
              job, output: SHA256.hash(tensors.output),
              logSumExp: SHA256.hash(tensors.logSumExp)))))
    case .drop: break
    }
  }

  // MARK: Effects of a worker

  private mutating func act(_ effects: [Worker.Effect], by index: Int) {
    for effect in effects { act(effect, by: index) }
  }

  private mutating func act(_ effect: Worker.Effect, by index: Int) {
    let worker = hosts[index].core.hello.worker
    switch effect {
    case .send(let message): queue.append(.coordinator(.message(message, from: worker)))
    case .beat(let job, let term, let progress, let isLast):
      let beat = WorkerMessage.Heartbeat(
        job: job, term: term, progress: progress, traffic: Traffic(), residentBytes: 0,
        isLast: isLast)
      queue.append(.coordinator(.message(.heartbeat(beat), from: worker)))
    case .begin(let assignment, let hosted):
      let plan = Plan(job: assignment.spec, vrankCount: assignment.vrankCount)
      let engine = FoldEngine(plan: plan, kernel: kernel)
      for vrank in hosted { engine.host(vrank) }
      hosts[index].engine = engine
    case .pull(let pull, .store): serveFromStore(pull, to: index)
    case .pull(let pull, .peer(let peer)):
      queue.append(.worker(host(ofPeer: peer, as: index), .pull(pull, from: link(index))))
    case .answer(let answer, let pull, let link):
      queue.append(
        .worker(
          Int(link.number), .answer(answer, pull.job, pull.tile, from: peer(index, as: link))))
    case .serve(let tile, let part, let link):
      guard let job, let plan else { return }
      tileBytes += plan.payloadBytes(of: tile, part: part)
      queue.append(
        .worker(Int(link.number), .part(job, tile, part: part, from: peer(index, as: link))))
    case .pack, .unpack, .forget, .fold, .finish, .sendResult, .sendFinal, .retire:
      compute(effect, by: index)
    case .release: hosts[index].engine = nil
    case .observe: break
    }
  }

  private mutating func compute(_ effect: Worker.Effect, by index: Int) {
    guard let job, let plan, let engine = hosts[index].engine else { return }
    switch effect {
    case .pack(let tile):
      for part in 0..<plan.partCount(tile.tensor) {
        tensors.payload(plan, tile, part: part).withUnsafeBytes { payload in
          if tile.tensor == .query {
            engine.packQueries(tile: tile.index, part: part, payload: payload)
          } else {
            engine.packKeys(tile: tile.index, part: part, payload: payload)
          }
        }
      }
    case .unpack(let tile): engine.unpack(tile.index)
    case .fold(let vrank, let tiles):
      let work = engine.fold(vrank, tiles: tiles)
      let scratch = FoldScratch()
      for item in 0..<work.itemCount { work.perform(item, scratch: scratch) }
      queue.append(.worker(index, .folded(job, vrank, next: tiles.upperBound)))
    case .finish(let vrank):
      let result = engine.finish(vrank)
      for item in 0..<result.itemCount { result.perform(item) }
      hosts[index].results[vrank] = result
      queue.append(.worker(index, .finished(job, vrank)))
    case .sendResult(let vrank, let message):
      guard let result = hosts[index].results[vrank], let epoch = epoch(of: vrank) else { return }
      let (tile, part) = plan.resultMessage(of: vrank, message)
      tensors.store(result.payload(message), plan, queryTile: tile, part: part)
      let receipt = ResultReceipt(
        job: job, vrank: vrank, epoch: epoch, message: message, status: .ok)
      queue.append(.worker(index, .receipt(receipt)))
    case .sendFinal(let vrank):
      guard let epoch = epoch(of: vrank) else { return }
      queue.append(.coordinator(.store(.stored(job, vrank, epoch))))
    case .retire(let vrank):
      engine.retire(vrank)
      hosts[index].results[vrank] = nil
    default: break
    }
  }

  private mutating func serveFromStore(_ pull: Pull, to index: Int) {
    guard let plan else { return }
    queue.append(.worker(index, .answer(.have, pull.job, pull.tile, from: .store)))
    for part in pull.firstPart..<plan.partCount(pull.tile.tensor) {
      queue.append(.worker(index, .part(pull.job, pull.tile, part: part, from: .store)))
    }
  }

  // MARK: Who is who

  /// A worker's links are numbered by the host at the other end.
  private func link(_ index: Int) -> Worker.Link { Worker.Link(number: UInt64(index)) }

  private func host(ofPeer peer: Int, as index: Int) -> Int {
    let worker = hosts[index].core.run?.assignment.peers[peer].worker
    return hosts.firstIndex { $0.core.hello.worker == worker } ?? index
  }

  private func peer(_ index: Int, as link: Worker.Link) -> Worker.Source {
    let assignment = hosts[Int(link.number)].core.run?.assignment
    let worker = hosts[index].core.hello.worker
    return .peer(assignment?.peers.firstIndex { $0.worker == worker } ?? 0)
  }

  private func epoch(of vrank: VRank) -> Epoch? {
    hosts.lazy.compactMap { $0.core.run?.assignment.hosts[vrank.index].epoch }.first
  }
}
