/// What all machines of a job's run go by: what is computed, and who has what now.
struct JobView: Sendable {
  let plan: Plan
  let planTag: UInt64
  let worker: WorkerID
  /// Whether there is a directory for checkpoints.
  let hasSlots: Bool
  let defect: Defect?
  /// Of each K/V tile the first step of any rank that folds it; `Int.max` where none does.
  let firstSteps: [Int]
  private(set) var assignment: Assignment
  /// This worker's index in `assignment.peers`.
  private(set) var me: Int
  /// Peers that can't be connected to, ascending.
  private(set) var unreachable: [WorkerID] = []
  private var ring: Ring
  /// Highest epoch seen of each virtual rank.
  private var epochs: [Epoch]

  init(
    assignment: Assignment, plan: Plan, worker: WorkerID, hasSlots: Bool, defect: Defect?
  ) {
    self.assignment = assignment
    self.plan = plan
    self.worker = worker
    self.hasSlots = hasSlots
    self.defect = defect
    me = assignment.peer(of: worker) ?? -1
    planTag = assignment.planHash.tag
    ring = Ring(plan: plan, assignment: assignment)
    firstSteps = plan.firstSteps
    epochs = assignment.hosts.map(\.epoch)
  }

  var job: JobID { assignment.job }

  /// - Parameter table: of the same job, with a higher revision, and this worker one of its peers.
  mutating func adopt(_ table: Assignment) {
    assignment = table
    me = table.peer(of: worker) ?? -1
    ring = Ring(plan: plan, assignment: table)
    for index in epochs.indices { epochs[index] = max(epochs[index], table.hosts[index].epoch) }
    unreachable.removeAll { table.peer(of: $0) == nil }
  }

  func host(of vrank: VRank) -> Assignment.Host { assignment.hosts[vrank.index] }

  /// Whether there is a virtual rank that a peer names.
  func isKnown(_ vrank: VRank) -> Bool { epochs.indices.contains(vrank.index) }

  /// The highest epoch seen of a rank is remembered, and lower ones are refused.
  ///
  /// - Precondition: the rank is known.
  mutating func admits(_ epoch: Epoch, for vrank: VRank) -> Bool {
    guard epoch >= epochs[vrank.index] else { return false }
    epochs[vrank.index] = epoch
    return true
  }

  // MARK: Where tiles are

  func isOwn(_ tile: TileID) -> Bool { ring.owner(of: tile) == me }

  /// The owner of a tile that isn't here, if it can be asked.
  func owner(of tile: TileID) -> Worker.Source? {
    guard let owner = assignment.worker(ring.owner(of: tile)), owner != worker,
      isReachable(owner)
    else { return nil }
    return .peer(owner)
  }

  /// Along the ring; of the owner, or the store, where those before can't be reached.
  func firstSource(of tile: TileID) -> Worker.Source {
    guard let first = assignment.worker(ring.source(of: tile.index, for: me)) else { return .store }
    return isReachable(first) ? .peer(first) : owner(of: tile) ?? .store
  }

  // MARK: Peers that can't be connected to

  /// Such as one whose address is not the one it told: the coordinator hears of them, and until there is a
  /// connection nothing is asked of them and no copies are sent to them.
  func isReachable(_ peer: WorkerID) -> Bool { !unreachable.contains(peer) }

  /// Notes whether a peer can be connected to.
  ///
  /// - Returns: whether that is new.
  mutating func reach(_ peer: WorkerID, _ isReachable: Bool) -> Bool {
    guard assignment.peer(of: peer) != nil, peer != worker, self.isReachable(peer) != isReachable
    else { return false }
    if isReachable {
      unreachable.removeAll { $0 == peer }
    } else {
      unreachable.append(peer)
      unreachable.sort()
    }
    return true
  }

  /// For a person.
  func name(of source: Worker.Source) -> String {
    switch source {
    case .store: "the input store"
    case .peer(let worker):
      assignment.peer(of: worker).map { "worker \($0 + 1) of \(assignment.peers.count)" }
        ?? "a worker that was lost"
    }
  }
}
