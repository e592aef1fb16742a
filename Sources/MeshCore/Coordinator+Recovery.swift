/// Virtual ranks change hands: after a loss, for a worker that goes, for one that came.
extension Coordinator {
  /// Why ranks leave a worker.
  struct Departure {
    let worker: JobImage.Participant
    let joinedAt: Duration
    let cause: String
    let detectionSeconds: Double
  }

  /// Gives every rank that has no host, and those that were handed over, to workers that can take
  /// them; a new table says so, once it is on disk.
  ///
  /// - Parameters:
  ///   - moving: ranks that their hosts have stopped and copied.
  ///   - lost: a worker that is gone, if that is why.
  mutating func rehost(
    _ index: Int, moving: [VRank] = [], lost: Departure? = nil, at now: Duration,
    into effects: inout [Effect]
  ) {
    guard var run = jobs[index].run, jobs[index].state == .running else { return }
    var vacant = run.plan.vranks.filter { vrank in
      guard let host = run.host(of: vrank) else { return true }
      return moving.contains(vrank) || !isPresent(host, in: run)
    }
    let places = self.places(for: run, without: moving)
    let held = vacant.filter { vrank in
      run.ranks[vrank.index].isHeld && !run.ranks[vrank.index].isFinal && !moving.contains(vrank)
    }
    var given = place(vacant.filter { !held.contains($0) }, of: run, on: places)
    if given == nil {
      // What was stopped has a host that can go on.
      let staying = moving.filter { vrank in
        !run.ranks[vrank.index].isFinal
          && run.host(of: vrank).map { isPresent($0, in: run) } ?? false
      }
      stay(
        staying, of: &run, because: "nobody has the memory to take it", at: now, into: &effects)
      vacant.removeAll { staying.contains($0) }
      // Of a final rank the store has all there is, unless others read what it published.
      let areNeeded = run.plan.publishes || !vacant.allSatisfy { run.ranks[$0.index].isFinal }
      given = areNeeded ? nil : []
    }
    if given == nil {
      let lack = places.isEmpty ? "workers" : "workers with memory for the ranks of those lost"
      if configuration.isClosed, run.awaited.isEmpty, missing.isEmpty {
        let loss = places.isEmpty ? "every worker was lost" : "there are no \(lack)"
        return fail(index, "\(loss), and nobody can join this mesh", at: now, into: &effects)
      }
      jobs[index].wait(places.isEmpty ? lackOfWorkers : "waits for \(lack)")
    } else {
      jobs[index].wait(held.first.map { doubt(about: $0, run) } ?? "")
    }
    let relieved = moving.isEmpty ? nil : Recovery.handedOver
    for vrank in vacant where !run.ranks[vrank.index].isFinal {
      note(vrank, in: &run, lost: lost, relieved: relieved, job: jobs[index], at: now)
    }
    let old = run.table
    run.table = table(of: run, vacant: vacant, given: given ?? [], places: places)
    // Also who only keeps copies takes part: its loss is one of the job.
    for peer in run.table.peers {
      if let member = members.first(where: { $0.id == peer.worker }) { run.admit(member.hello) }
    }
    for vrank in vacant { tell(vrank, in: &run, old: old, at: now, into: &effects) }
    for vrank in moving where vacant.contains(vrank) { run.ranks[vrank.index].movedAt = now }
    jobs[index].run = run
    // What a worker folds is counted over the ranks it has: they are others now.
    for member in members.indices { members[member].pace.forget() }
    save(index)
    effects.append(.store(.fence(run.table)))
    announce(index, into: &effects)
    for peer in old.peers where run.table.peer(of: peer.worker) == nil && isMember(peer.worker) {
      effects.append(
        .send(.release(jobs[index].id, isOver: false, term: configuration.term), to: peer.worker))
    }
  }

  /// What a rank waits for that is held back.
  private func doubt(about vrank: VRank, _ run: JobRun) -> String {
    let names = run.ranks[vrank.index].strikes.map(\.name).joined(separator: ", ")
    return "waits to learn whether \(names) have ended, which were lost in a row at virtual rank"
      + " \(vrank): then the job kills its workers"
  }

  package func isMember(_ worker: WorkerID) -> Bool { members.contains { $0.id == worker } }

  /// Whether a host may still act: it is here, or may come back after a restart.
  func isPresent(_ worker: WorkerID, in run: JobRun) -> Bool {
    isMember(worker) || run.awaited[worker] != nil
  }

  /// Workers that may be given ranks, in ring order: those that have some, and those that might. A
  /// spare that does nothing yet goes before the others when there is one.
  private func places(for run: JobRun, without moving: [VRank]) -> [Placement.Place] {
    places(for: run, without: moving, among: members.filter(\.isOpen))
  }

  /// Workers that keep the copies they have, and take others only when nobody else can.
  private func cordonedPlaces(for run: JobRun) -> [Placement.Place] {
    places(for: run, without: [], among: members.filter { $0.isCordoned && !$0.isDraining })
  }

  private func places(
    for run: JobRun, without moving: [VRank], among members: [Member]
  ) -> [Placement.Place] {
    let able = members.filter { $0.hello.numerics == run.numerics }
    let sorted = able.sorted { left, right in
      let (a, b) = (run.table.peer(of: left.id) ?? .max, run.table.peer(of: right.id) ?? .max)
      return a == b ? naturalOrder(left.name, right.name) : a < b
    }
    return sorted.map { member in
      let ranks = run.openRanks(of: member.id).filter { !moving.contains($0) }
      return member.place(
        load: ranks.reduce(0) { $0 + run.ranks[$1.index].load }, ranks: ranks.count)
    }
  }

  /// - Returns: nil when nobody can take them.
  private func place(
    _ vacant: [VRank], of run: JobRun, on places: [Placement.Place]
  ) -> [(vrank: VRank, worker: WorkerID)]? {
    if vacant.isEmpty { return [] }
    func isIdleSpare(_ place: Placement.Place) -> Bool {
      isSpare(place.worker) && run.openRanks(of: place.worker).isEmpty
    }
    let working = places.filter { !isIdleSpare($0) }
    let able = withMemory(working, for: run, sharedBy: working.count)
    let spare = places.filter { isIdleSpare($0) && needsSpare(vacant, of: run, places, able) }
      .first { !withMemory([$0], for: run, sharedBy: able.count + 1).isEmpty }
    let chosen = withRoom((spare.map { [$0] } ?? []) + able, for: run)
    guard !chosen.isEmpty else { return nil }
    return Placement.place(
      vacant.map { ($0, run.ranks[$0.index].load) }, on: chosen, spare: spare?.worker,
      copies: { holders(of: $0, run) }, leaving: { run.host(of: $0) })
  }

  /// Spares stand in for workers that are lost, that go, or that are slow; not where ranks only move to
  /// a worker that has less to do than their host.
  private func needsSpare(
    _ vacant: [VRank], of run: JobRun, _ places: [Placement.Place], _ able: [Placement.Place]
  ) -> Bool {
    let least = able.map(\.load).min() ?? .max
    return vacant.contains { vrank in
      guard !run.ranks[vrank.index].isFinal else { return false }
      let host = places.first { $0.worker == run.host(of: vrank) }
      return host.map { least >= $0.load } ?? true
    }
  }

  func isSpare(_ worker: WorkerID) -> Bool {
    members.contains { $0.id == worker && $0.hello.isSpare }
  }

  /// Those of some places whose workers have the memory for a share of the job. The fewer they are,
  /// the more each of them takes.
  func withMemory(
    _ places: [Placement.Place], for run: JobRun, sharedBy count: Int
  ) -> [Placement.Place] {
    var (able, count) = (places, count)
    while !able.isEmpty {
      let estimate = MemoryEstimate(
        plan: run.plan, workers: min(max(1, count), run.plan.vrankCount),
        isProtected: run.table.isProtected)
      let fitting = able.filter { place in
        let member = members.first { $0.id == place.worker }
        return member.map { estimate.fits($0.hello) } ?? false
      }
      if fitting.count == able.count { break }
      count -= able.count - fitting.count
      able = fitting
    }
    return able
  }

  /// Places that share a job, each with the ranks that its worker has the memory for.
  func withRoom(_ places: [Placement.Place], for run: JobRun) -> [Placement.Place] {
    let room = RankRoom(
      plan: run.plan, workers: places.count, isProtected: run.table.isProtected)
    return places.map { place in
      var place = place
      if let member = members.first(where: { $0.id == place.worker }) {
        place.most = room.ranks(for: member.hello)
      }
      return place
    }
  }

  /// Workers that have a copy of a rank in memory, the furthest first. A host may have told of a
  /// copy before its holder does.
  private func holders(of vrank: VRank, _ run: JobRun) -> [WorkerID] {
    var copies = members.flatMap { member in
      member.held.filter { $0.vrank == vrank }.map { (worker: member.id, next: $0.next) }
    }
    let told = run.ranks[vrank.index].copied
    if told > 0, let holder = run.table.worker(run.table.hosts[vrank.index].holder) {
      let known = copies.first { $0.worker == holder }?.next ?? 0
      copies.removeAll { $0.worker == holder }
      copies.append((holder, max(told, known)))
    }
    return copies.sorted { ($1.next, $0.worker) < ($0.next, $1.worker) }.map(\.worker)
  }

  /// Whether the holder itself tells of a copy that the present host of a rank has made: then copies
  /// of before are of no more use, and whoever isn't named as a source drops them. What the host tells
  /// may be of another holder.
  func holds(_ holder: WorkerID?, _ vrank: VRank, under epoch: Epoch) -> Bool {
    members.first { $0.id == holder }?.held
      .contains { $0.vrank == vrank && $0.epoch == epoch } ?? false
  }

  // MARK: The table

  private mutating func table(
    of run: JobRun, vacant: [VRank], given: [(vrank: VRank, worker: WorkerID)],
    places: [Placement.Place]
  ) -> Assignment {
    let old = run.table
    var hosts: [WorkerID?] = run.plan.vranks.map { run.host(of: $0) }
    for vrank in vacant { hosts[vrank.index] = nil }
    for (vrank, worker) in given { hosts[vrank.index] = worker }
    let cordoned = cordonedPlaces(for: run)
    let peers = self.peers(of: run, hosting: hosts, places: places, cordoned: cordoned)
    func peer(_ worker: WorkerID?) -> Int? {
      worker.flatMap { worker in peers.firstIndex { $0.worker == worker } }
    }
    let among = places.filter { peer($0.worker) != nil }
    var kept: [WorkerID: Int] = [:]
    for case let holder? in old.hosts.map({ old.worker($0.holder) }) {
      kept[holder, default: 0] += 1
    }
    let room = MemoryEstimate.copies(vranks: run.plan.vrankCount, workers: max(1, among.count))
    // Who has too little memory for a share may have it for copies, or may not.
    let least = MemoryEstimate.holderBytes(plan: run.plan, workers: max(1, among.count))
    let small = members.filter { $0.hello.memoryBytes < least }.map(\.id)
    let entries = run.plan.vranks.map { vrank in
      var host = old.hosts[vrank.index]
      let current = old.worker(host.holder)
      let sources = host.sources.compactMap { old.worker($0) }
      host.peer = peer(hosts[vrank.index])
      host.sources = sources.compactMap { peer($0) }
      if vacant.contains(vrank) {
        host.epoch = mintEpoch()
        host.isFresh = false
        host.sources = Array(
          holders(of: vrank, run).compactMap { peer($0) }.prefix(Assignment.Host.sourcesMaximum))
        if host.duty == .handOver { host.duty = .fold }
      }
      if let current { kept[current, default: 1] -= 1 }
      if run.ranks[vrank.index].isFinal {
        (host.duty, host.sources, host.holder) = (.serve, [], nil)
      } else if old.isProtected {
        let holder = self.holder(
          vrank, hostedBy: hosts[vrank.index], among: among,
          orElse: cordoned.filter { peer($0.worker) != nil }, keeping: current
        ) { kept[$0, default: 0] >= room || small.contains($0) }
        if let holder { kept[holder, default: 0] += 1 }
        host.holder = peer(holder)
        if holder == current {
          if holds(holder, vrank, under: host.epoch) { host.sources = [] }
        } else if run.ranks[vrank.index].copied > 0, !vacant.contains(vrank) {
          host.keepAsSource(peer(current))
        }
      }
      return host
    }
    return old.replaced(peers: peers, hosts: entries, revision: mintEpoch())
  }

  /// Where the host of a rank keeps its copies. One that is to go has no place any more, but it still
  /// hosts, and only a copy lets it hand over.
  private func holder(
    _ vrank: VRank, hostedBy host: WorkerID?, among open: [Placement.Place],
    orElse cordoned: [Placement.Place], keeping current: WorkerID?, isFull: (WorkerID) -> Bool
  ) -> WorkerID? {
    guard let host else { return current }
    let isAlone = !open.contains { $0.worker != host }
    let places = open + cordoned.filter { isAlone || $0.worker == current }
    if let place = places.firstIndex(where: { $0.worker == host }) {
      return holder(vrank, place, places, keeping: current, isFull: isFull)
    }
    guard let member = members.first(where: { $0.id == host }) else {
      return host == current ? nil : current
    }
    return holder(
      vrank, places.count, places + [member.place(load: 0)], keeping: current, isFull: isFull)
  }

  func holder(
    _ vrank: VRank, _ host: Int, _ places: [Placement.Place], keeping current: WorkerID?,
    isFull: (WorkerID) -> Bool
  ) -> WorkerID? {
    // The rank may have moved to where its copies are.
    if defect == .copyOnSameWorker, let current { return current }
    let worker = places[host].worker
    let away = members.first { $0.id == worker }?.unreachable ?? []
    return Placement.holder(
      of: vrank, host: host, among: places, keeping: current, isFull: isFull,
      isReachable: { !away.contains($0) })
  }

  /// Who is named in the table: those that were and are still here, in the same order, and then those
  /// that came. Spares without a part are left out, unless nobody else could keep copies.
  private func peers(
    of run: JobRun, hosting hosts: [WorkerID?], places open: [Placement.Place],
    cordoned: [Placement.Place]
  ) -> [Assignment.Peer] {
    // Those that are cordoned stay, and come where somebody would be without a holder.
    let places = open.count > 1 ? open : open + cordoned
    let staying = open + cordoned
    var peers = run.table.peers.filter { peer in
      hosts.contains(peer.worker)
        || (isPresent(peer.worker, in: run) && staying.contains { $0.worker == peer.worker })
    }
    let areAllSpares = places.allSatisfy { isSpare($0.worker) }
    for place in places where !peers.contains(where: { $0.worker == place.worker }) {
      guard let member = members.first(where: { $0.id == place.worker }),
        !member.hello.isSpare || areAllSpares || hosts.contains(member.id),
        peers.count < Limits.workersMaximum
      else { continue }
      peers.append(member.peer)
    }
    return peers
  }

  // MARK: The story

  /// Notes that a rank changes hands.
  private func note(
    _ vrank: VRank, in run: inout JobRun, lost: Departure?, relieved: String?, job: JobRecord,
    at now: Duration
  ) {
    let from = run.host(of: vrank).flatMap { run.participant($0) }
      .map { run.participants[$0].identity }
    guard let from, lost == nil || lost?.worker.worker == from.worker || relieved != nil else {
      return
    }
    let rank = run.ranks[vrank.index]
    // Rows that see no key have no state to find again.
    guard rank.needed > 0 else { return }
    run.ranks[vrank.index].foundAt = now
    run.note(
      Recovery(
        vrank: vrank, epoch: run.table.hosts[vrank.index].epoch, worker: from.name,
        processID: from.processID, cause: lost?.cause ?? relieved ?? "it did not come back",
        detectionSeconds: lost?.detectionSeconds ?? 0,
        atSeconds: job.startedAt.map { (now - $0).seconds } ?? 0, host: "", lostAt: rank.next,
        restored: nil, restoreSeconds: nil, caughtUpSeconds: nil))
  }

  /// The new host of a rank, in its story and in the events.
  private mutating func tell(
    _ vrank: VRank, in run: inout JobRun, old: Assignment, at now: Duration,
    into effects: inout [Effect]
  ) {
    let entry = run.table.hosts[vrank.index]
    let member = run.table.worker(entry.peer).flatMap { worker in
      members.first { $0.id == worker }
    }
    if let member { run.admit(member.hello) }
    let epoch = old.hosts[vrank.index].epoch
    if let place = run.recoveries.lastIndex(where: {
      $0.vrank == vrank && $0.epoch == epoch && $0.restored == nil
    }) {
      run.recoveries[place].epoch = entry.epoch
      run.recoveries[place].host = member?.name ?? ""
    }
    run.ranks[vrank.index].askedAt = nil
    run.ranks[vrank.index].copied = 0
    run.ranks[vrank.index].durable = 0
    guard !run.ranks[vrank.index].isFinal else { return }
    observe(
      Observation(
        .rehosted, job: run.table.job, worker: member?.name, vrank: vrank,
        detail: member == nil ? "no worker can take it yet" : "under epoch \(entry.epoch)"),
      at: now, into: &effects)
  }
}
