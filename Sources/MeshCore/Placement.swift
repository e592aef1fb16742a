/// Where virtual ranks and their copies go. Pure: the same loads give the same places.
package enum Placement {
  /// A worker that may be given ranks.
  package struct Place: Sendable {
    package let worker: WorkerID
    package let machine: String
    /// Work left of the ranks it hosts.
    package var load: Int
    /// How many these are, and for how many it has the memory.
    package var ranks: Int
    package var most: Int

    package init(
      worker: WorkerID, machine: String, load: Int, ranks: Int = 0, most: Int = .max
    ) {
      self.worker = worker
      self.machine = machine
      self.load = load
      self.ranks = ranks
      self.most = most
    }
  }

  /// Gives each rank to the place with the least work, the heaviest rank first; of equals to one that
  /// has a copy of the rank, so that no state has to travel. A rank that is to leave a worker goes
  /// back to it only when there is no other. Who has as many ranks as it has memory for comes last,
  /// however little work they are.
  ///
  /// - Parameters:
  ///   - ranks: with the work left of each.
  ///   - spare: gets its ranks before all others do.
  ///   - copies: workers that hold a copy of a rank.
  ///   - leaving: the worker that a rank leaves.
  package static func place(
    _ ranks: [(vrank: VRank, load: Int)], on places: [Place], spare: WorkerID? = nil,
    copies: (VRank) -> [WorkerID], leaving: (VRank) -> WorkerID? = { _ in nil }
  ) -> [(vrank: VRank, worker: WorkerID)] {
    var places = places
    guard !places.isEmpty else { return [] }
    let heaviestFirst = ranks.sorted { ($1.load, $0.vrank) < ($0.load, $1.vrank) }
    return heaviestFirst.map { rank in
      let holders = copies(rank.vrank)
      let left = leaving(rank.vrank)
      func key(_ index: Int) -> (Int, Int, Int, Int, Int) {
        let place = places[index]
        return (
          place.ranks >= place.most ? 2 : place.worker == spare ? 0 : 1,
          place.worker == left ? 1 : 0,
          place.load, holders.contains(place.worker) ? 0 : 1, index
        )
      }
      let best = places.indices.min { key($0) < key($1) }
      guard let best else { preconditionFailure("no place") }
      // A rank without work left still makes its worker the busier one.
      places[best].load += rank.load + 1
      places[best].ranks += 1
      return (rank.vrank, places[best].worker)
    }
  }

  /// The worker in whose memory a host keeps the copies of a rank: on another machine where there is
  /// one with room, and not the same for all ranks of a host, so that they come back from several
  /// memories at once.
  ///
  /// - Parameters:
  ///   - isFull: whether a worker keeps as many copies as it was estimated to.
  ///   - isReachable: whether the host can send copies to a worker at all.
  package static func holder(
    of vrank: VRank, host: Int, among places: [Place], keeping current: WorkerID?,
    isFull: (WorkerID) -> Bool = { _ in false }, isReachable: (WorkerID) -> Bool = { _ in true }
  ) -> WorkerID? {
    let others = (1..<max(1, places.count)).map { places[(host + $0) % places.count] }
      .filter { isReachable($0.worker) }
    func isElsewhere(_ place: Place) -> Bool {
      place.machine != places[host].machine || place.machine.isEmpty
    }
    let roomy = others.filter { !isFull($0.worker) }
    // When all are full a copy is still better than none: the rank couldn't be handed over.
    let choices = [roomy.filter(isElsewhere), roomy, others.filter(isElsewhere), others]
    guard let candidates = choices.first(where: { !$0.isEmpty }) else { return nil }
    if let current, candidates.contains(where: { $0.worker == current }) { return current }
    return candidates[vrank.index % candidates.count].worker
  }

  /// What a worker has left to do, and which of its ranks may move.
  package struct Load: Sendable {
    package let worker: WorkerID
    /// Of ranks that stay, and how many these are.
    package var fixed: Int
    package var fixedCount: Int
    package var ranks: [(vrank: VRank, load: Int)]
    /// For how many ranks it has the memory.
    package let most: Int

    package init(
      worker: WorkerID, fixed: Int = 0, fixedCount: Int = 0, ranks: [(vrank: VRank, load: Int)],
      most: Int = .max
    ) {
      self.worker = worker
      self.fixed = fixed
      self.fixedCount = fixedCount
      self.ranks = ranks
      self.most = most
    }

    var total: Int { ranks.reduce(fixed) { $0 + $1.load } }
    var isFull: Bool { fixedCount + ranks.count >= most }
  }

  /// Ranks that should move so that workers with little to do get their share, from the busiest that can
  /// give one; empty when no move makes its worker less busy by more than a rank's loss of time. Who has
  /// as many ranks as it has memory for takes none.
  package static func moves(loads: [Load]) -> [VRank] {
    var loads = loads
    var moving: [VRank] = []
    while let idlest = loads.indices.filter({ !loads[$0].isFull })
      .min(by: { (loads[$0].total, $0) < (loads[$1].total, $1) }),
      let (giver, rank) = move(in: loads, to: idlest)
    {
      let moved = loads[giver].ranks.remove(at: rank)
      // It moves once.
      loads[idlest].fixed += moved.load
      loads[idlest].fixedCount += 1
      moving.append(moved.vrank)
    }
    return moving
  }

  /// The next rank to move to the idlest worker, by places.
  private static func move(in loads: [Load], to idlest: Int) -> (giver: Int, rank: Int)? {
    let order = loads.indices.sorted { (loads[$1].total, $0) < (loads[$0].total, $1) }
    let least = loads[idlest].total
    for giver in order where giver != idlest {
      let most = loads[giver].total
      let gains = loads[giver].ranks.map { max(most - $0.load, least + $0.load) }
      if let best = gains.indices.min(by: { (gains[$0], $0) < (gains[$1], $1) }),
        gains[best] < most - most / 16
      {
        return (giver, best)
      }
    }
    return nil
  }
}
