import Checksums
import MeshCore

/// One worker core, its clock, and the effects of its last event. The worker is number 1 of the
/// samples, peer 0 of its assignments.
final class WorkerHarness {
  var core: Worker
  var now = Duration.seconds(10)
  private(set) var effects: [Worker.Effect] = []
  /// All since the last `forget`.
  private(set) var history: [Worker.Effect] = []
  /// Folds asked for and not yet reported, oldest first.
  private(set) var folding: [(vrank: VRank, epoch: Epoch, tiles: Range<Int>)] = []

  init(hasSlots: Bool = false) { core = Worker(hello: sampleHello(1), hasSlots: hasSlots) }

  @discardableResult
  func send(_ event: Worker.Event, after delay: Duration = .milliseconds(1)) -> [Worker.Effect] {
    now += delay
    effects = core.handle(event, at: now)
    history += effects
    for case .job(_, .step(.fold(let vrank, let epoch, let tiles))) in effects {
      folding.append((vrank, epoch, tiles))
    }
    return effects
  }

  /// Something of a job; of the message's, where it is one.
  @discardableResult
  func send(
    _ event: JobEvent, after delay: Duration = .milliseconds(1)
  ) -> [Worker.Effect] {
    send(.job(event.job ?? job, event), after: delay)
  }

  func forgetHistory() { history = [] }

  /// Welcomed, and assigned a plan.
  func assign(
    _ plan: Plan, hosts: [Int], peers: Int, holders: [Int?]? = nil,
    job: JobID = JobID(high: 1, low: 1)
  ) {
    assign(sampleAssignment(plan, hosts: hosts, peers: peers, holders: holders, job: job))
  }

  /// Welcomed, and assigned a table.
  func assign(_ assignment: Assignment) {
    send(.coordinator(.welcome(term: 3, storeEndpoint: "tcp://store")))
    send(.coordinator(.assign(assignment, term: 3)))
  }

  /// The table changes.
  func adopt(
    peers: [Assignment.Peer]? = nil, _ change: (inout [Assignment.Host]) -> Void = { _ in }
  ) {
    guard let table = core.run?.assignment.next(peers: peers, change) else { return }
    send(.coordinator(.assign(table, term: 3)))
  }

  /// Under which the worker hosts a rank.
  func epoch(of vrank: Int) -> Epoch {
    core.run?.ranks.first { $0.vrank.index == vrank }?.epoch ?? .lowest
  }

  /// The compute threads report a fold up to `next`.
  func fold(_ next: Int, vrank: Int = 0, cost: Duration = .milliseconds(10)) {
    send(.folded(VRank(vrank), epoch(of: vrank), next: next, cost: cost))
  }

  /// The compute threads report the oldest fold.
  @discardableResult
  func foldNext(cost: Duration = .milliseconds(10)) -> Bool {
    guard !folding.isEmpty else { return false }
    let fold = folding.removeFirst()
    send(.folded(fold.vrank, fold.epoch, next: fold.tiles.upperBound, cost: cost))
    return true
  }

  /// The compute threads report whatever they are asked to fold.
  func foldAll(cost: Duration = .milliseconds(10)) { while foldNext(cost: cost) {} }

  /// The compute threads have normalised a rank.
  func finish(vrank: Int = 0) { send(.finished(VRank(vrank), epoch(of: vrank))) }

  var job: JobID { JobID(high: 1, low: 1) }

  /// A whole tile, as the store or a peer sends it.
  func deliver(_ tile: TileID, from source: Worker.Source, parts: Range<Int>? = nil) {
    let plan = core.run?.plan
    for part in parts ?? 0..<(plan?.partCount(tile.tensor) ?? 0) {
      send(.part(tile, part: part, from: source, noBytes))
    }
  }

  /// Answers everything asked of the store until nothing more is asked; folds are not reported.
  func deliverStore() {
    var asked = pulls(history).filter { $0.1 == .store }.map(\.0.tile)
    var done: Set<TileID> = []
    while let tile = asked.first(where: { !done.contains($0) }) {
      done.insert(tile)
      let before = history.count
      deliver(tile, from: .store)
      asked += pulls(Array(history[before...])).filter { $0.1 == .store }.map(\.0.tile)
    }
  }

  /// As if it were one event: its effects are those of all parts.
  func deliverStoreAtOnce() {
    let before = history.count
    deliverStore()
    effects = Array(history[before...])
  }

  func pulls(_ effects: [Worker.Effect]) -> [(Pull, Worker.Source)] {
    effects.compactMap { effect in
      if case .job(_, .tile(.pull(let pull, let source))) = effect { return (pull, source) }
      return nil
    }
  }

  var pulled: [(Pull, Worker.Source)] { pulls(effects) }

  /// A peer's request, as this worker would have to send it.
  func pull(
    _ tile: TileID, firstPart: Int = 0, credit: Int = .max, vrank: Int = 0, epoch: UInt64 = 99,
    tag: UInt64? = nil, job: JobID? = nil
  ) -> Pull {
    Pull(
      job: job ?? self.job, planTag: tag ?? core.run?.assignment.planHash.tag ?? 0, tile: tile,
      firstPart: firstPart, creditBytes: credit, worker: WorkerID(incarnation: 2),
      vrank: VRank(vrank), epoch: Epoch(term: 1, counter: epoch))
  }

  /// The answers to pulls among the last effects.
  var answers: [PullAnswer] {
    effects.compactMap { effect in
      if case .job(_, .tile(.answer(let answer, _, _))) = effect { return answer }
      return nil
    }
  }

  /// (link, tile, part) of what was served with the last event.
  var served: [[Int]] {
    effects.compactMap { effect in
      guard case .job(_, .tile(.serve(let tile, let part, let link))) = effect else { return nil }
      return [Int(link.number), tile.index, part]
    }
  }

  var folds: [(vrank: Int, tiles: Range<Int>)] {
    effects.compactMap { effect in
      if case .job(_, .step(.fold(let vrank, _, let tiles))) = effect {
        return (vrank.index, tiles)
      }
      return nil
    }
  }

  /// Reasons of the failures told with the last event.
  var failures: [String] {
    effects.compactMap { effect in
      if case .send(.failed(_, _, _, let reason)) = effect { return reason }
      return nil
    }
  }

  var resultMessages: [Int] {
    effects.compactMap { effect in
      if case .job(_, .result(.sendResult(_, _, let message))) = effect { return message }
      return nil
    }
  }

  var sentFinal: Bool {
    effects.contains { effect in
      if case .job(_, .result(.sendFinal)) = effect { return true }
      return false
    }
  }

  func receipt(_ message: Int, _ status: StatusCode = .ok, vrank: Int = 0) {
    let known = epoch(of: vrank)
    let epoch = known == .lowest ? Epoch(term: 1, counter: 1) : known
    let receipt = ResultReceipt(
      job: job, vrank: VRank(vrank), epoch: epoch, message: message, status: status)
    send(.receipt(receipt))
  }
}

/// The worker at an index of the samples' peers.
func peer(_ index: Int) -> Worker.Source { .peer(WorkerID(incarnation: UInt64(index) + 1)) }

/// Of parts and messages that no test looks into.
let noBytes = Payload(number: 0)

func link(_ number: UInt64) -> Worker.Link { Worker.Link(number: number) }

extension JobEvent {
  /// Of messages that name one.
  var job: JobID? {
    switch self {
    case .pull(let pull, _): pull.job
    case .receipt(let receipt): receipt.job
    case .copyReceipt(let receipt, _): receipt.job
    case .copy(let header, _, _), .badCopy(let header, _): header.job
    case .statePull(let pull, _): pull.job
    case .stateAnswer(let answer, _): answer.job
    case .statePart(let header, _, _), .badStatePart(let header, _): header.job
    case .passQuestion(let question, _): question.job
    case .passAnswer(let answer, _): answer.job
    default: nil
    }
  }
}
