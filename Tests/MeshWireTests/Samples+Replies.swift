import Checksums
import ElementTypes
import MeshCore
import MeshWire

extension Samples {
  static func summary(_ state: JobState, reason: String = "waits for workers") -> JobSummary {
    JobSummary(
      job: job, client: "bob@host", state: state, reason: reason, spec: largestSpec, folded: 3,
      total: 16_777_216, ageSeconds: 3.25, wallSeconds: 0, name: "nächtlich 7",
      submittedAt: 1_796_063_280.25, deadlineAt: state == .running ? 253_402_300_799 : nil,
      result: results[Int(state.rawValue) % results.count])
  }

  static let results =
    ResultStatus.State.allCases.map { ResultStatus($0) } + [
      ResultStatus(.kept, at: 1_796_063_280.5), ResultStatus(.discarded, at: 1, client: "bob@höst"),
    ]

  static func status(
    ranks: Int, name: String = "w1", recoveries: [Recovery] = recoveries(3),
    protection: Protection = .peerAndDisk
  ) -> JobStatus {
    JobStatus(
      summary: summary(.running), queuePosition: 1_000, vrankCount: ranks, planHash: digest(9),
      ranks: (0..<ranks).map {
        RankStatus(
          vrank: VRank($0), epoch: epochs[1], worker: name, next: 65_536, needed: 65_536,
          copied: 65_536, durable: 65_535 - $0, isFinal: $0 % 2 == 0)
      },
      workers: (0..<ranks).map { _ in
        JobWorkerStatus(
          name: name, level: name, threads: 65_535, traffic: traffic, residentBytes: 1 << 60)
      },
      protection: protection, recoveries: recoveries, neededBytes: 1 << 60,
      workerBytes: 1 << 40, resultDigests: [digest(5), digest(6), digest(7)])
  }

  static var emptyStatus: JobStatus {
    JobStatus(
      summary: summary(.uploading, reason: ""), queuePosition: 0, vrankCount: 0, planHash: nil,
      ranks: [], workers: [], protection: .off, recoveries: [], neededBytes: 0, workerBytes: 0,
      resultDigests: [])
  }

  static func meshStatus(alarms: Int, name: String = "0.1.0", detail: String = "why") -> MeshStatus
  {
    MeshStatus(
      version: name, protocolVersion: protocolVersion, term: .max, uptimeSeconds: 1e9,
      storeBytes: 1 << 60, storeQuotaBytes: 1 << 60, isPersistent: true, loopLagSeconds: 0.25,
      workers: WorkerStanding.allCases.map { MeshStatus.WorkerCount(standing: $0, count: 256) },
      jobs: JobState.allCases.map { MeshStatus.JobCount(state: $0, count: 2_000) },
      running: MeshStatus.RunningJob(summary: summary(.running), protection: .diskOnly),
      alarms: events(alarms, detail: detail).events)
  }

  static var emptyMeshStatus: MeshStatus {
    MeshStatus(
      version: "", protocolVersion: 0, term: 0, uptimeSeconds: 0, storeBytes: 0,
      storeQuotaBytes: 0, isPersistent: false, loopLagSeconds: 0, workers: [], jobs: [],
      running: nil, alarms: [])
  }

  static func workerStatus(_ index: Int, name: String, endpoint: String, vranks: Int)
    -> WorkerStatus
  {
    let standing = WorkerStanding.allCases[index % WorkerStanding.allCases.count]
    let reason = String(repeating: "no heartbeat, ", count: 18)
    return WorkerStatus(
      worker: WorkerID(incarnation: UInt64(index) + 1), name: name, processID: Int(Int32.max),
      numerics: name, level: name, threads: 65_535, memoryBytes: 1 << 60, residentBytes: 1 << 60,
      endpoint: endpoint, silentSeconds: 0.125, job: vranks == 0 ? nil : job,
      vranks: (0..<vranks).map { VRank($0) },
      standing: standing,
      loss: standing == .lost ? WorkerLoss(at: 1_796_063_280.5, reason: reason) : nil)
  }

  static func events(_ count: Int, detail: String) -> EventsReply {
    let kinds = Observation.Kind.allCases
    let events = (0..<count).map { index in
      RecordedEvent(
        sequence: .max - UInt64(index), seconds: Double(index - 3),
        wallSeconds: 1e9 + Double(index),
        observation: Observation(
          kinds[index % kinds.count], job: index % 2 == 0 ? job : nil,
          worker: index % 3 == 0 ? nil : index % 3 == 1 ? "" : "w0123456789",
          vrank: index % 4 == 0 ? nil : VRank(index % 256), detail: detail))
    }
    var reply = EventsReply(events: events, next: .max, missed: 3, term: .max)
    reply.wallSeconds = 253_402_300_799
    return reply
  }

  static var replies: [CallReply] {
    [
      .submitted(
        SubmitReply(
          job: job, storeEndpoint: "ipc:///tmp/x", workerBytes: 1 << 60, diskBytes: 0)),
      .status(status(ranks: 3)), .status(emptyStatus),
      .jobs(JobPage(jobs: [], next: 0, total: 0)),
      .jobs(
        JobPage(jobs: JobState.allCases.map { summary($0) }, next: 1 << 60, total: Int(Int32.max))),
      .result(ResultReply(status: status(ranks: 1), storeEndpoint: "tcp://10.0.0.1:7000")),
      .workers([]),
      .workers([
        workerStatus(0, name: "a", endpoint: "tcp://h:1", vranks: 0),
        workerStatus(2, name: "c", endpoint: "", vranks: 1),
        workerStatus(1, name: "b", endpoint: "tcp://h:2", vranks: 256),
      ]),
      .events(EventsReply(events: [], next: 0, missed: 0)), .events(events(32, detail: "why")),
      .mesh(meshStatus(alarms: 8)), .mesh(emptyMeshStatus),
    ]
      + Protection.allCases.map { .status(status(ranks: 1, protection: $0)) }
  }

  static var controlFrames: [ControlFrame] {
    workerMessages.map { .worker($0, from: worker) }
      + coordinatorMessages.map { .coordinator($0) }
      + requests.map { .call(header($0.method), .success($0)) }
      + replies.map { .reply(request, .success($0)) }
      + StatusCode.allCases.filter { $0 != .ok }
      .map { .reply(request, .failure(CallFailure($0, "because"))) }
  }

  static let part = PartHeader(job: job, planTag: .max, tile: .keyValue(65_535), part: 65_535)
  static let stateHeader = StateHeader(
    job: job, planTag: 1, vrank: VRank(255), epoch: epochs[1], tile: .query(262_143), part: 0)

  static var storeRequests: [StoreRequest] {
    InputTensor.allCases.map { .upload(UploadRequest(job: job, tensor: $0, offset: 1 << 60)) }
      + OutputTensor.allCases.map {
        .read(ReadRequest(job: job, tensor: $0, offset: 0, count: 1 << 20))
      }
  }

  static var dataFrames: [DataFrame] {
    [
      .pull(
        Pull(
          job: job, planTag: 0, tile: .query(262_143), firstPart: 0, creditBytes: 1 << 60,
          worker: worker, vrank: VRank(0), epoch: epochs[0])),
      .part(part), .part(PartHeader(job: jobs[0], planTag: 0, tile: .query(0), part: 0)),
      .state(stateHeader),
      .state(softmaxState(.gradients, tile: .gradient(65_535)).header),
      .vrankFinal(VRankFinal(job: job, vrank: VRank(1), epoch: epochs[1], digest: digest(8))),
      .receipt(
        ResultReceipt(job: job, vrank: VRank(0), epoch: epochs[0], message: -1, status: .ok)),
      .receipt(
        ResultReceipt(job: job, vrank: VRank(7), epoch: epoch, message: 0, status: .dataLoss)),
      .reply(request, .success(.uploaded(UploadReply(received: 1 << 60)))),
      .reply(request, .success(.read(ReadReply(offset: 0, total: 4_096)))),
      .reply(request, .failure(CallFailure(.notFound, "no such job"))),
      .blocksPull(BlocksPull(job: job, offset: 0)), .blocks(BlocksPull(job: job, offset: 1 << 60)),
    ]
      + PullAnswer.allCases.map { .answer($0, to: part) }
      + storeRequests.map { .call(header($0.method), .success($0)) } + stateFrames
  }

  /// 3 heads of 5 tokens, dimension 7.
  static func tilePart(_ tensor: TileTensor = .keyValue, element: ElementType = .float16)
    -> TilePart
  {
    TilePart(
      header: PartHeader(job: job, planTag: 5, tile: TileID(tensor, 3), part: 1), heads: 8..<11,
      tokens: 768..<773, headDimension: 7, element: element,
      rowBytes: 7 * element.byteCount * (tensor == .query ? 1 : 2), checksum: 0)
  }

  static func softmaxState(_ kind: SoftmaxState.Kind, tile: TileID = .query(9)) -> SoftmaxState {
    SoftmaxState(
      job: job, planTag: 5, vrank: VRank(2), epoch: epoch, next: 65_536, tile: tile, part: 0,
      heads: 0..<2, rows: 576..<579, headDimension: 5, kind: kind, checksum: 0)
  }

  /// The frame of a message with a payload of the right size, made in place.
  static func frame<Message: PayloadMessage>(_ message: Message) -> (Message, [UInt8]) {
    var message = message
    var frame = [UInt8](repeating: 0, count: message.frameBytes ?? 0)
    frame.withUnsafeMutableBytes { frame in
      message.write(to: frame) { payload in
        for index in payload.indices { payload[index] = UInt8(truncatingIfNeeded: 31 * index) }
      }
    }
    return (message, frame)
  }
}
