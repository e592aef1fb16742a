internal import FoldEngine
internal import MeshCore

/// One start of a worker's process: what its loop holds beside the core.
final class WorkerProcess {
  let index: Int
  /// The worker that is started again and again: name, machine, disk.
  let lineage: Int
  let name: String
  var core: Worker
  let slots: SlotDirectory
  let startedAt: Int
  var isAlive = true
  var endedAt = Int.min / 2
  /// Dead with its machine: nobody's connection breaks.
  var isSilent = false
  var isPaused = false
  var isHung = false
  var slowness = 1
  /// What arrived while it was stopped.
  var backlog: [Action] = []
  /// Effects to go until it dies in front of one.
  var crashCountdown: Int?
  /// Whether its disk is there when it is started again.
  var keepsDisk = true
  var job: WorkerJobState?
  /// Connections by their server: coordinator is 0, worker i is i + 1.
  var dataConnections: [Int: Int] = [:]
  var control: Int?
  /// Peers to which nothing comes through, since when, and those of which the core was told.
  var blockedSince: [Int: Int] = [:]
  var toldUnreachable: Set<Int> = []
  var itemsDone: UInt64 = 0
  /// Nanoseconds in which the compute threads folded.
  var computed = 0
  var work: [ComputeWork] = []
  var workStarted = 0
  /// Of the piece of work that was begun last.
  var workNumber = 0
  /// Work is done, but its end isn't told: the compute threads hang.
  var hasStalledWork = false
  var audit: WorkerAudit
  /// What the core is being told of: a part of a tile, or a message of a copy.
  var parts = Arrivals<[UInt8]>()
  var states = Arrivals<StateMessage>()
  /// What it asked for last of a block map.
  var blocksPull: BlocksPull?
  var writing: SlotDirectory.Write?
  /// Writes that the disk hasn't finished; what is removed waits for them, as in one queue.
  var writesUnderWay = 0
  var removals: [SlotRemoval] = []
  /// It was told that its job is over, and to remove the checkpoints.
  var wasToldOfEnd = false

  init(
    index: Int, lineage: Int, name: String, core: Worker, slots: SlotDirectory, at now: Int
  ) {
    self.index = index
    self.lineage = lineage
    self.name = name
    self.core = core
    self.slots = slots
    startedAt = now
    audit = WorkerAudit(windowBytes: core.windowBytes)
  }

  var id: WorkerID { core.hello.worker }
  var node: Node { .worker(index) }
}

/// Checkpoints that are of no more use.
enum SlotRemoval {
  case of(VRank, upTo: Epoch)
  case all
}

/// What a worker's loop holds of its present job.
final class WorkerJobState {
  let id: JobID
  let plan: Plan
  let planTag: UInt64
  let engine: any SimulatedEngine
  var table: Assignment
  var ranks: [SimulatedRank?]
  var results: [SimulatedResult?]
  /// Tiles that ranks computed, here or elsewhere.
  var shelf: [TileID: [[UInt8]]] = [:]
  var snapshot: SimulatedSnapshot?
  var held: [HeldState?]

  init(
    _ assignment: Assignment, _ plan: Plan, job: SimulatedJob, of worker: WorkerProcess,
    in simulation: Simulation
  ) {
    id = assignment.job
    self.plan = plan
    planTag = assignment.planHash.tag
    if plan.job.isRehearsal {
      let hasDefect = simulation.options.defect == .publishOtherBytes
      engine = RehearsalEngine(plan: plan, salt: hasDefect ? UInt64(worker.index) : 0)
    } else {
      let window = TileWindow(plan: plan, budget: simulation.options.windowBytes)
      let engine: any RankEngine =
        plan.job.isBackward
        ? BackwardEngine(plan: plan, kernel: job.kernel)
        : FoldEngine(plan: plan, kernel: job.kernel, packsAhead: window.packsAhead)
      self.engine = RealEngine(engine, scratch: simulation.scratch)
    }
    table = assignment
    ranks = [SimulatedRank?](repeating: nil, count: plan.vrankCount)
    results = [SimulatedResult?](repeating: nil, count: plan.vrankCount)
    held = [HeldState?](repeating: nil, count: plan.vrankCount)
  }

  func rank(_ vrank: VRank, _ epoch: Epoch) -> SimulatedRank? {
    ranks[vrank.index].flatMap { $0.epoch == epoch ? $0 : nil }
  }

  /// A part of a tile that somebody computed has come, in order.
  func keep(_ payload: [UInt8], of tile: TileID, part: Int) {
    let known = shelf[tile] ?? []
    // What is whole here may be on its way to somebody.
    guard known.count < plan.partCount(tile.tensor) else { return }
    shelf[tile] = known.prefix(part) + [payload]
  }
}

/// A rank's state as it was at a step.
struct SimulatedSnapshot {
  let vrank: VRank
  let messages: [StateMessage?]

  func message(_ number: Int) -> StateMessage? {
    messages.indices.contains(number) ? messages[number] : nil
  }
}

/// A piece of work for the compute threads, done in the order in which it was asked for.
enum ComputeWork {
  case fold(JobID, Range<Int>, () -> [SimulatedTile], SimulatedRank)
  case replay(JobID, TileID, () -> [SimulatedTile])
  case finish(JobID, SimulatedResult, SimulatedRank)
  case snapshot(JobID, SimulatedRank, SimulatedState, next: Int, first: Int)
}
