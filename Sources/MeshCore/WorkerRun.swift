internal import AttentionMasks
package import Checksums

/// The job a worker has: what it hosts, where each tile is, and whose copies it keeps.
package struct WorkerRun: Sendable {
  package internal(set) var assignment: Assignment
  package let plan: Plan
  package let window: TileWindow
  let worker: WorkerID
  let hasSlots: Bool
  /// Travelling accumulators that a rank publishes before readers have passed some.
  let outboxTiles: Int
  let defect: Defect?
  var ring: Ring
  let planTag: UInt64
  /// Of each K/V tile the first step of any rank that folds it; `Int.max` where none does.
  let firstSteps: [Int]
  /// Sorted by virtual rank.
  package internal(set) var ranks: [HostedRank] = []
  var tiles: TileTable
  /// Highest epoch seen of each virtual rank.
  var epochs: [Epoch]
  /// Tiles to load from the store, in the order in which they are needed; the next one first.
  var queryLoads: ArraySlice<Int> = []
  var shardLoads: ArraySlice<Int> = []
  var storeBytes = 0
  var storePulls = 0
  var waiters: [Waiter] = []
  var passWaiters: [PassWaiter] = []
  var replays: [Replay] = []
  /// Peers that can't be connected to, ascending.
  package internal(set) var unreachable: [WorkerID] = []
  /// Tiles as the compute threads read them.
  var packed: [TileID] = []
  /// Tiles that are kept, or asked for, for the ranks here, and are another's, ascending.
  var foreign: [TileID] = []
  var folds: [OutstandingFold] = []
  var resultsOutstanding = 0
  /// What answers to pulls, and to messages of results, take.
  var pullTrip = RoundTrip()
  var resultTrip = RoundTrip()
  /// The rank of which a snapshot is being taken, copied or written: one at a time.
  var snapshot: Snapshot?
  var lateWrite: LateWrite?
  /// Copies of others' ranks, sorted by virtual rank.
  var held: [HeldRank] = []
  private var isUrgent = false

  package var job: JobID { assignment.job }

  /// This worker's index in `assignment.peers`.
  package var me: Int { assignment.peer(of: worker) ?? -1 }

  /// - Parameters:
  ///   - assignment: without a problem, and `worker` is one of its peers.
  ///   - blocks: the job's block map, if it has one.
  init(
    assignment: Assignment, blocks: BlockMap?, worker: WorkerID, windowBytes: Int,
    outboxTiles: Int, hasSlots: Bool,
    defect: Defect?
  ) {
    let plan = Plan(job: assignment.spec, vrankCount: assignment.vrankCount, blocks: blocks)
    self.assignment = assignment
    self.plan = plan
    window = TileWindow(plan: plan, budget: windowBytes)
    self.worker = worker
    self.hasSlots = hasSlots
    self.outboxTiles = outboxTiles
    self.defect = defect
    ring = Ring(plan: plan, assignment: assignment)
    planTag = assignment.planHash.tag
    firstSteps = plan.firstSteps
    epochs = assignment.hosts.map(\.epoch)
    tiles = TileTable(plan: plan)
  }

  package var progress: [WorkerMessage.Progress] { ranks.map(\.progress) }

  /// Whether something happened that the coordinator should hear of before the next heartbeat.
  mutating func takeUrgency() -> Bool {
    defer { isUrgent = false }
    return isUrgent
  }

  mutating func tellSoon() { isUrgent = true }

  func isOwn(_ tile: TileID) -> Bool { ring.owner(of: tile) == me }

  func rank(of vrank: VRank) -> Int? { ranks.firstIndex { $0.vrank == vrank } }

  /// The rank if it is hosted under this very epoch.
  func rank(of vrank: VRank, _ epoch: Epoch) -> Int? {
    ranks.firstIndex { $0.vrank == vrank && $0.epoch == epoch }
  }

  /// The rank on whose behalf a tile is asked for: the one furthest behind that needs it. For a tile
  /// of the shard any will do.
  func asker(for tile: TileID) -> (vrank: VRank, epoch: Epoch)? {
    switch tile.tensor {
    case .query: return rank(of: plan.holder(ofQueryTile: tile.index)).map { ranks[$0].identity }
    case .keyValue, .hidden, .partial:
      let needers = ranks.filter { $0.isStillToRead(tile) }
      return (needers.min { $0.steps.order($0.next) < $1.steps.order($1.next) } ?? ranks.first)?
        .identity
    }
  }
}

/// A fold given to the compute threads and not yet reported.
struct OutstandingFold: Sendable {
  let vrank: VRank
  let epoch: Epoch
  let steps: Range<Int>
  /// All of the rank, which may be gone.
  let all: RankSteps
}

/// A peer that was told COMING, or LATER.
struct Waiter: Sendable {
  let tile: TileID
  let link: Worker.Link
  let firstPart: Int
  /// One past the last part its credit covers.
  let endPart: Int
}

extension Digest {
  /// First eight bytes, big-endian: enough to tell plans apart, not to trust one.
  package var tag: UInt64 { bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) } }
}
