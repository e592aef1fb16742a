import MeshCore

/// A coordinator in simulated time, to the millisecond: workers send a heartbeat every 100 ms, the
/// loop ticks, and everything happens exactly when it is said to.
final class BeatingMesh {
  let mesh: CoordinatorHarness
  let job: JobID
  /// Since the start.
  private(set) var millisecond = 0
  /// Milliseconds between ticks.
  var tickInterval: Int
  var workers: [UInt64: Behaviour]
  /// When each lost worker was found, in order.
  private(set) var lost: [(worker: String, at: Int, reason: String)] = []
  private let start: Duration

  struct Behaviour {
    /// Milliseconds after each 100 at which it sends.
    var phase = 0
    /// No heartbeat from then on.
    var silentFrom = Int.max
    /// Or again from then on.
    var silentUntil = Int.max
    /// What it says of its compute threads.
    var computation: (_ millisecond: Int) -> WorkerMessage.Computation = { millisecond in
      var computation = WorkerMessage.Computation()
      computation.itemsDone = UInt64(millisecond)
      computation.isBusy = true
      return computation
    }
  }

  init?(workers: Int, tickInterval: Int = 20, isProtected: Bool = true) {
    let running = CoordinatorHarness.running(
      on: (1...workers).map { UInt64($0) }, isProtected: isProtected)
    guard let running else { return nil }
    (mesh, job, _) = running
    mesh.step = .zero
    start = mesh.now
    self.tickInterval = tickInterval
    self.workers = Dictionary(
      uniqueKeysWithValues: (1...workers).map { (UInt64($0), Behaviour(phase: 7 * $0)) })
    mesh.send(.tick)
    for worker in 1...workers { mesh.beat(UInt64(worker), job: job) }
  }

  /// Up to and including a millisecond. While the coordinator is stopped nothing reaches it.
  func run(until end: Int, isStopped: Bool = false) {
    while millisecond < end {
      millisecond += 1
      mesh.now = start + .milliseconds(millisecond)
      guard !isStopped else { continue }
      for worker in workers.keys.sorted() { beat(worker) }
      if millisecond % tickInterval == 0 { tick() }
    }
  }

  private func beat(_ worker: UInt64) {
    guard let behaviour = workers[worker], millisecond % 100 == behaviour.phase % 100,
      millisecond < behaviour.silentFrom || millisecond >= behaviour.silentUntil
    else { return }
    mesh.beat(worker, job: job, computation: behaviour.computation(millisecond))
  }

  private func tick() {
    mesh.send(.tick)
    note()
  }

  func note() {
    for case .observe(let observation) in mesh.effects where observation.kind == .workerLost {
      lost.append((observation.worker ?? "", millisecond, observation.detail))
    }
  }

  /// The first tick at or after a millisecond.
  func tick(from millisecond: Int) -> Int {
    (millisecond + tickInterval - 1) / tickInterval * tickInterval
  }
}
