package import Checksums

/// The job a worker has: what it hosts, and where each tile is.
package struct WorkerRun: Sendable {
  /// A virtual rank that this worker hosts.
  package struct Rank: Sendable {
    package let vrank: VRank
    package let epoch: Epoch
    package let needed: Int
    /// The next K/V tile to fold: all before it are in (O, m, l).
    package internal(set) var next = 0
    /// The next K/V tile to give to the compute threads.
    var dispatched = 0
    /// Query tiles that haven't arrived and been packed.
    var missingQueries: Int
    var result: ResultProgress?

    /// K/V tiles to have at hand.
    var window: Range<Int> { next..<min(next + Limits.windowTiles, needed) }
  }

  /// Where a finished rank is with handing in its result.
  struct ResultProgress: Sendable {
    /// Messages, not counting the end.
    let count: Int
    var isReady = false
    var sent = 0
    var acknowledged = 0
    var isEndSent = false
    var isFinal = false
    var deadline: Duration?
    var attempts = 0
  }

  package let assignment: Assignment
  package let plan: Plan
  /// This worker's index in `assignment.peers`.
  package let me: Int
  let ring: Ring
  let planTag: UInt64
  package internal(set) var ranks: [Rank]
  var tiles: [TileState]
  var queries: [TileState]
  /// Highest epoch seen of each virtual rank.
  var epochs: [Epoch]
  /// Tiles to load from the store, in the order in which they are needed; the next one first.
  var queryLoads: ArraySlice<Int>
  var shardLoads: ArraySlice<Int>
  var storeBytes = 0
  var storePulls = 0
  var waiters: [Waiter] = []
  var packed: [Int] = []
  var foreign: [Int] = []
  var foldsOutstanding = 0
  var resultsOutstanding = 0
  private var isUrgent = false

  package var job: JobID { assignment.job }

  /// - Returns: nil when `worker` isn't a peer of the assignment.
  init?(assignment: Assignment, worker: WorkerID) {
    guard assignment.problem == nil,
      let me = assignment.peers.firstIndex(where: { $0.worker == worker })
    else { return nil }
    let plan = Plan(job: assignment.spec, vrankCount: assignment.vrankCount)
    self.assignment = assignment
    self.plan = plan
    self.me = me
    ring = Ring(plan: plan, assignment: assignment)
    planTag = assignment.planHash.tag
    epochs = assignment.hosts.map(\.epoch)
    tiles = [TileState](repeating: .absent, count: plan.keyTileCount)
    queries = [TileState](repeating: .absent, count: plan.queryTileCount)
    let hosted = plan.vranks.filter { assignment.hosts[$0.index].peer == me }
    ranks = hosted.map { vrank in
      let needed = plan.neededKeyTiles(of: vrank)
      return Rank(
        vrank: vrank, epoch: assignment.hosts[vrank.index].epoch, needed: needed,
        missingQueries: needed == 0 ? 0 : plan.queryTiles(of: vrank).count)
    }
    let loading = ranks.filter { $0.needed > 0 }
    queryLoads = loading.flatMap { plan.queryTiles(of: $0.vrank) }[...]
    shardLoads = hosted.flatMap { plan.keyTiles(of: $0) }.sorted()[...]
  }

  package var progress: [WorkerMessage.Progress] {
    ranks.map {
      WorkerMessage.Progress(vrank: $0.vrank, epoch: $0.epoch, next: $0.next, needed: $0.needed)
    }
  }

  /// Whether something happened that the coordinator should hear of before the next heartbeat.
  mutating func takeUrgency() -> Bool {
    defer { isUrgent = false }
    return isUrgent
  }

  mutating func tellSoon() { isUrgent = true }

  func isOwn(_ tile: Int) -> Bool { ring.owner(of: tile) == me }

  /// The rank on whose behalf a tile is asked for: the one furthest behind that needs it.
  func asker(for tile: TileID) -> Rank? {
    switch tile.tensor {
    case .query: rank(of: plan.holder(ofQueryTile: tile.index)).map { ranks[$0] }
    case .keyValue:
      ranks.filter { $0.next <= tile.index && tile.index < $0.needed }
        .min { $0.next < $1.next } ?? ranks.first
    }
  }
}

/// Where a tile is.
enum TileState: Sendable {
  case absent
  case requested(Request)
  /// All its parts are kept.
  case resident

  /// A tile that has been asked for.
  struct Request: Sendable {
    var source: Worker.Source
    /// Parts that have arrived: 0 ..< received.
    var received = 0
    var deadline: Duration
    var attempts: Int
  }
}

/// A peer that was told COMING.
struct Waiter: Sendable {
  let tile: Int
  let link: Worker.Link
  let firstPart: Int
  /// One past the last part its credit covers.
  let endPart: Int
}

extension Digest {
  /// First eight bytes, big-endian: enough to tell plans apart, not to trust one.
  package var tag: UInt64 { bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) } }
}
