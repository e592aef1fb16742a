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

  init() { core = Worker(hello: sampleHello(1)) }

  @discardableResult
  func send(_ event: Worker.Event, after delay: Duration = .milliseconds(1)) -> [Worker.Effect] {
    now += delay
    effects = core.handle(event, at: now)
    history += effects
    return effects
  }

  func forgetHistory() { history = [] }

  /// Welcomed, and assigned a plan.
  func assign(_ plan: Plan, hosts: [Int], peers: Int, job: JobID = JobID(high: 1, low: 1)) {
    send(.coordinator(.welcome(term: 3, storeEndpoint: "tcp://store")))
    let assignment = sampleAssignment(plan, hosts: hosts, peers: peers, job: job)
    send(.coordinator(.assign(assignment, term: 3)))
  }

  var job: JobID { JobID(high: 1, low: 1) }

  /// A whole tile, as the store or a peer sends it.
  func deliver(_ tile: TileID, from source: Worker.Source, parts: Range<Int>? = nil) {
    let plan = core.run?.plan
    for part in parts ?? 0..<(plan?.partCount(tile.tensor) ?? 0) {
      send(.part(job, tile, part: part, from: source))
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

  func pulls(_ effects: [Worker.Effect]) -> [(Pull, Worker.Source)] {
    effects.compactMap { effect in
      if case .pull(let pull, let source) = effect { return (pull, source) }
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
      if case .answer(let answer, _, _) = effect { return answer }
      return nil
    }
  }

  /// (link, tile, part) of what was served with the last event.
  var served: [[Int]] {
    effects.compactMap { effect in
      guard case .serve(let tile, let part, let link) = effect else { return nil }
      return [Int(link.number), tile.index, part]
    }
  }

  var folds: [(vrank: Int, tiles: Range<Int>)] {
    effects.compactMap { effect in
      if case .fold(let vrank, let tiles) = effect { return (vrank.index, tiles) }
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
      if case .sendResult(_, let message) = effect { return message }
      return nil
    }
  }

  var sentFinal: Bool {
    effects.contains { effect in
      if case .sendFinal = effect { return true }
      return false
    }
  }

  func receipt(_ message: Int, _ status: StatusCode = .ok, vrank: Int = 0) {
    let epoch = Epoch(term: 1, counter: UInt64(vrank) + 1)
    let receipt = ResultReceipt(
      job: job, vrank: VRank(vrank), epoch: epoch, message: message, status: status)
    send(.receipt(receipt))
  }
}

func link(_ number: UInt64) -> Worker.Link { Worker.Link(number: number) }
