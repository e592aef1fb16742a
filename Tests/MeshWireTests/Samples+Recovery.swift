import Checksums
import MeshCore
import MeshWire

extension Samples {
  /// Hosts of every kind; a worker never keeps copies of a rank that it hosts.
  static func assignment(peers: Int, endpoint: String = "tcp://127.0.0.1:7001") -> Assignment {
    let vranks = min(Limits.vranksMaximum, 3 * peers)
    let hosts = (0..<vranks).map { index in
      Assignment.Host(
        peer: index % 5 == 4 ? nil : index % peers, epoch: epochs[index % 3],
        duty: Assignment.Duty.allCases[index % 3],
        holder: peers > 1 && index % 4 > 0 ? (index + 1) % peers : nil,
        sources: Array([peers - 1, index % peers].prefix(index % 3)), isFresh: index % 2 == 0)
    }
    return assignment(peers: peers, endpoint: endpoint, hosts: hosts)
  }

  static func assignment(
    peers: Int, endpoint: String = "e", hosts: [Assignment.Host]
  ) -> Assignment {
    var spec = largestSpec
    if peers % 2 == 1 { spec.mask.blocks = MaskRule.Block(queries: 64, keys: 1 << 20) }
    return Assignment(
      job: job, spec: spec,
      inputs: InputDigests(
        query: digest(1), key: digest(2), value: digest(3),
        blockMap: spec.mask.blocks.map { _ in digest(5) }),
      vrankCount: hosts.count, planHash: digest(4), revision: epochs[1],
      isProtected: peers % 2 == 0,
      peers: (0..<peers).map {
        Assignment.Peer(
          worker: WorkerID(incarnation: .max - UInt64($0)), endpoint: endpoint,
          publicKey: $0 % 2 == 0 ? publicKey : nil)
      },
      hosts: hosts)
  }

  static func progress(_ count: Int) -> [WorkerMessage.Progress] {
    (0..<count).map { index in
      WorkerMessage.Progress(
        vrank: VRank(index), epoch: epochs[index % 3], next: 65_536, needed: index,
        copied: 65_536 - index, durable: index, restored: index % 5 == 0 ? nil : restored(index),
        isHandedOver: index % 2 == 1)
    }
  }

  static func restored(_ index: Int) -> WorkerMessage.Restored {
    let tiers = RestoreTier.allCases
    return WorkerMessage.Restored(tier: tiers[index % tiers.count], next: 257 * index)
  }

  static func held(_ count: Int) -> [WorkerMessage.HeldCopy] {
    (0..<count).map {
      WorkerMessage.HeldCopy(vrank: VRank($0), epoch: epochs[($0 + 1) % 3], next: 65_536 - $0)
    }
  }

  static var computation: WorkerMessage.Computation {
    var computation = WorkerMessage.Computation()
    computation.itemsDone = .max
    computation.isBusy = true
    computation.slowTileSeconds = 1e9
    return computation
  }

  /// Every third one is still looking for its state, every third one is restored.
  static func recoveries(
    _ count: Int, name: String = "w1", cause: String = "silent for 0.9 s"
  ) -> [Recovery] {
    (0..<count).map { index in
      Recovery(
        vrank: VRank(index % 256), epoch: epochs[1], worker: name, processID: Int(Int32.max),
        cause: cause, detectionSeconds: 0.25, atSeconds: Double(index + 1), host: name,
        lostAt: 65_536, restored: index % 3 == 0 ? nil : restored(index % 256),
        restoreSeconds: index % 3 == 0 ? nil : 0, caughtUpSeconds: index % 3 == 2 ? 1.5 : nil)
    }
  }

  static let copyHeader = CopyHeader(
    job: job, planTag: .max, vrank: VRank(255), epoch: epochs[1], next: 65_536, first: 7,
    message: Int(Int32.max) - 1, count: Int(Int32.max), base: 65_536, released: 65_536,
    tile: TileID(.partial, 65_536 * 256 - 1), part: 65_535)

  static let statePull = StatePull(
    job: job, planTag: .max, vrank: VRank(255), epoch: epochs[1],
    messages: (Int(Int32.max) - 256)..<Int(Int32.max))

  static var stateFrames: [DataFrame] {
    let first = CopyHeader(
      job: jobs[0], planTag: 0, vrank: VRank(0), epoch: epochs[0], next: 0, first: 0, message: 0,
      count: 1)
    let pull = StatePull(
      job: jobs[0], planTag: 0, vrank: VRank(0), epoch: epochs[0], messages: 0..<1)
    return [
      .copy(first), .copy(copyHeader), .statePart(first), .statePart(copyHeader),
      .statePull(pull), .statePull(statePull),
      .passQuestion(PassQuestion(job: job, planTag: .max, vrank: VRank(255), steps: 65_536)),
      .passAnswer(PassAnswer(job: job, vrank: VRank(255), epoch: epochs[1], steps: 65_536)),
    ]
      + StatusCode.allCases.flatMap { status -> [DataFrame] in
        [
          .copyReceipt(
            CopyReceipt(
              job: job, vrank: VRank(255), epoch: epoch, next: 65_536,
              message: Int(Int32.max) - 1, status: status)),
          .stateAnswer(
            StateAnswer(
              job: job, vrank: VRank(1), epoch: epoch, next: 0, count: Int(Int32.max),
              status: status)),
        ]
      }
  }
}
