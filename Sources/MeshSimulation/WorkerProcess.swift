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
  /// The message of a copy or state that is being handled.
  var arrived: StateMessage?
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
  let engine: FoldEngine
  var table: Assignment
  var ranks: [SimulatedRank?]
  var results: [RankResult?]
  var snapshot: (vrank: VRank, messages: [StateMessage?])?
  var held: [HeldState?]

  init(_ assignment: Assignment, _ plan: Plan, job: SimulatedJob, windowBytes: Int) {
    id = assignment.job
    self.plan = plan
    planTag = assignment.planHash.tag
    engine = FoldEngine(
      plan: plan, kernel: job.kernel,
      packsAhead: TileWindow(plan: plan, budget: windowBytes).packsAhead)
    table = assignment
    ranks = [SimulatedRank?](repeating: nil, count: plan.vrankCount)
    results = [RankResult?](repeating: nil, count: plan.vrankCount)
    held = [HeldState?](repeating: nil, count: plan.vrankCount)
  }

  func rank(_ vrank: VRank, _ epoch: Epoch) -> SimulatedRank? {
    ranks[vrank.index].flatMap { $0.epoch == epoch ? $0 : nil }
  }
}

/// A piece of work for the compute threads, done in the order in which it was asked for.
enum ComputeWork {
  case fold(JobID, FoldWork, SimulatedRank)
  case finish(JobID, RankResult, SimulatedRank)
  case snapshot(JobID, SimulatedRank, RankState, next: Int, first: Int)
}
