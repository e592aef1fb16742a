internal import Checksums
internal import MeshCore

/// One start of the coordinator's process: the core and the store.
final class CoordinatorProcess {
  let term: UInt64
  var core: Coordinator
  var isPaused = false
  /// Its machine stood still with it: what arrives in the meantime is lost.
  var isDeaf = false
  var backlog: [Action] = []
  /// Results are taken by these rules once the store was told to begin.
  var intake: ResultIntake?
  var plan: Plan?
  var planTag: UInt64 = 0
  /// Connections that wait for the receipt of a rank's end.
  var finalConnections: [Int?] = []
  var isVerifying: [Bool] = []
  var crashCountdown: Int?
  var losesPower = false
  /// The store's disk answers nothing.
  var isStalled = false
  var stalled: [StoreWork] = []

  init(term: UInt64, core: Coordinator) {
    self.term = term
    self.core = core
  }
}

/// The coordinator's state on its disk: transactions, in order, all or nothing.
struct Journal {
  struct Transaction {
    let number: UInt64
    let images: [JobImage]
    let removing: [JobID]
  }

  private(set) var images: [JobImage] = []
  var underWay: [Transaction] = []
  var isFailing = false

  mutating func apply(_ transaction: Transaction) {
    for image in transaction.images {
      images.removeAll { $0.job == image.job }
      images.append(image)
    }
    images.removeAll { transaction.removing.contains($0.job) }
    images.sort { $0.number < $1.number }
  }
}

/// A job's result in the store's files: what was written, and what a loss of power leaves of it.
struct ResultFiles {
  let job: JobID
  let plan: Plan
  /// By rank and message.
  private(set) var written: [[[UInt8]?]]
  private(set) var durable: [[[UInt8]?]]

  init(job: JobID, plan: Plan) {
    self.job = job
    self.plan = plan
    written = plan.vranks.map { [[UInt8]?](repeating: nil, count: plan.resultMessageCount(of: $0)) }
    durable = written
  }

  mutating func write(_ payload: [UInt8], _ vrank: VRank, message: Int) {
    written[vrank.index][message] = payload
  }

  mutating func sync() { durable = written }

  /// The machine lost power: of what wasn't synced, some pages are there.
  mutating func losePower(_ chance: inout Chance) {
    for vrank in written.indices {
      for message in written[vrank].indices where chance.happens(0.7) {
        written[vrank][message] = durable[vrank][message]
      }
    }
    durable = written
  }

  func isDurable(_ vrank: VRank) -> Bool {
    zip(written[vrank.index], durable[vrank.index]).allSatisfy { $0 != nil && $0 == $1 }
  }

  /// Puts the results where they belong in the tensors.
  func copy(into tensors: inout MemoryTensors) {
    if plan.job.isRehearsal {
      tensors.results = [written.flatMap { $0.flatMap { $0 ?? [] } }, []]
      return
    }
    for vrank in plan.vranks {
      for (payload, place) in zip(written[vrank.index], plan.resultMessages(of: vrank)) {
        payload?.withUnsafeBytes { tensors.store($0, plan, place) }
      }
    }
  }
}

/// Who submitted the job: calls again what wasn't answered, under the same request id.
struct SimulatedClient {
  enum Stage { case submitting, starting, watching }

  var stage = Stage.submitting
  var job: JobID?
  var calls: UInt64 = 0
  /// The next call goes under the id of the one before.
  var repeats = false
  var submitRequest: UInt64 = 1
  var draining: String?
  /// The worker that is to be cordoned now, and those that aren't to be any more: asked for again and
  /// again, for nobody waits for the answer.
  var cordoned: String?
  var lifted: [String] = []
  var status: JobStatus?
}

/// FNV-1a over what happened: equal for equal runs.
struct TraceHash {
  private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

  mutating func add(_ number: UInt64) {
    var rest = number
    for _ in 0..<8 {
      value = (value ^ (rest & 0xFF)) &* 0x100_0000_01B3
      rest >>= 8
    }
  }
}
