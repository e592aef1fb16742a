internal import FoldEngine
internal import MeshCore

/// A whole mesh in one thread and virtual time: the real cores of coordinator and workers, the real
/// arithmetic, and a network, disks and processes that fail as a seed says.
///
/// A run has a safety phase, in which faults happen, and a liveness phase, in which everything is
/// healed and the job has to end. A ledger outside the cores checks after every event what must
/// always hold.
package final class Simulation {
  package let options: SimulationOptions
  let job: SimulatedJob
  let transcript: ((String) -> Void)?

  // Streams of chance that don't disturb each other.
  var networkChance: Chance
  var faultChance: Chance
  var diskChance: Chance
  var processChance: Chance
  var noiseChance: Chance

  var now = 0
  var queue = EventQueue<Action>()
  var connections: [Connection] = []
  var workers: [WorkerProcess] = []
  /// The coordinator's process; nil while there is none.
  var coordinator: CoordinatorProcess?
  var journal = Journal()
  var files: ResultFiles?
  /// What the coordinator that died last knew of its workers, as its store has it.
  var knownWorkers: [WorkerStatus] = []
  var lastTerm: UInt64 = 0
  var sharedSlots = SlotDirectory()
  /// Of each lineage, its own directory.
  var slots: [SlotDirectory] = []
  var conditions = NetworkConditions()
  var client = SimulatedClient()
  let ledger: Ledger
  var coverage = Coverage()
  var faults: [FaultKind]
  var isCalm = false
  /// Until when messages between processes that live may be lost or late.
  var troubledUntil = -Time.second
  var healedAt: Int?
  var terminalAt: Int?
  /// Effects carried out so far: the places where a process can die.
  var effectCount = 0
  var crashPoints: [SimulationOptions.CrashPoint]
  var tileBytes = 0
  var trace = TraceHash()
  let scratch = FoldScratch()
  var delivered = 0
  var lineageCount = 0
  /// When the job has to have ended, at the latest.
  var deadline = Int.max

  package init(
    _ options: SimulationOptions, job: SimulatedJob, transcript: ((String) -> Void)? = nil
  ) {
    self.options = options
    self.job = job
    self.transcript = transcript
    networkChance = Chance(seed: options.seed, branch: 2)
    faultChance = Chance(seed: options.seed, branch: 3)
    diskChance = Chance(seed: options.seed, branch: 4)
    processChance = Chance(seed: options.seed, branch: 5)
    noiseChance = Chance(seed: options.seed, branch: 6)
    faults = options.faults
    crashPoints = options.crashPoints
    ledger = Ledger(job: job)
  }

  /// Runs to the end: of the job, or of the time it may take.
  package func run() -> SimulationOutcome {
    say { "\(self.options)" }
    begin()
    while ledger.violation == nil, let (time, action) = queue.next() {
      now = time
      ledger.now = time
      if now > deadline {
        checkDeadline()
        break
      }
      perform(action)
      if isOver { break }
    }
    if ledger.violation == nil { checkEnd() }
    return outcome
  }

  var clock: Duration { .nanoseconds(now) }

  func say(_ line: () -> String) {
    if let transcript { transcript("\(Time.text(now)) \(line())") }
  }

  // MARK: Beginning

  private func begin() {
    startCoordinator()
    for lineage in 0..<options.workers {
      let at = options.isInOrder ? 0 : processChance.below(100 * Time.millisecond)
      queue.add(.startWorker(lineage: lineage, keepsDisk: true), at: at)
    }
    lineageCount = options.workers
    queue.add(.client, at: options.timing.submitAt)
    scheduleFaults()
  }

  private func perform(_ action: Action) {
    switch action {
    case .message(let message, let connection, let isForward):
      arrive(message, on: connection, isForward: isForward)
    case .worker(let index, let event): tell(workers[index], event)
    case .coordinator(let term, let event):
      if let coordinator = current(term) { tell(coordinator, event) }
    case .store(let term, let work):
      if let coordinator = current(term) { perform(work, in: coordinator) }
    case .tick(let index): tick(workers[index])
    case .coordinatorTick(let term): if let coordinator = current(term) { tick(coordinator) }
    case .computed(let index, let number): computed(workers[index], number: number)
    case .persisted(let index, let write, let started):
      persisted(workers[index], write, started: started)
    case .restoreSlot(let index, let vrank, let epoch):
      restoreSlot(workers[index], vrank, epoch)
    case .committed(let term): if let coordinator = current(term) { committed(coordinator) }
    case .client: callFromClient()
    case .clientReply(let outcome): receive(outcome)
    case .fault(let number): strike(number)
    case .endOfFault(let end): finish(end)
    case .startWorker(let lineage, let keepsDisk): startWorker(lineage, keepsDisk: keepsDisk)
    case .startCoordinator: startCoordinator()
    case .closed(let connection, let isAtServer): noticeClosed(connection, isAtServer: isAtServer)
    case .heal: heal()
    }
  }

  private func current(_ term: UInt64) -> CoordinatorProcess? {
    coordinator.flatMap { $0.term == term ? $0 : nil }
  }
}
