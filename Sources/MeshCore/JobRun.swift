internal import AttentionMasks

/// A job that has been given workers: who hosts what, how far it is, and what befell it.
struct JobRun: Sendable {
  private(set) var plan: Plan
  /// The table as last decided; announced once it is on disk.
  var table: Assignment
  /// Workers that took part, in order of arrival.
  var participants: [Participant]
  var ranks: [RankRecord]
  var recoveries: [Recovery] = []
  /// Workers that the table names and that haven't come back after a restart, or since all were cut
  /// off, and until when they may.
  var awaited: [WorkerID: Duration] = [:]
  /// When it was last looked whether a worker has nothing to do.
  var balancedAt = Duration.zero
  /// K/V tiles that all ranks fold.
  private(set) var total: Int
  /// K/V payload bytes that have to cross between workers, at the least, had nothing happened.
  private(set) var neededBytes: Int

  /// A worker that took part.
  struct Participant: Sendable {
    let identity: JobImage.Participant
    var traffic = Traffic()
    var residentBytes = 0
    /// Whether it has given its final counters.
    var hasReported = false
  }

  /// A worker lost at a rank.
  struct Strike: Sendable {
    let worker: WorkerID
    let name: String
    let cause: String
    /// It fell silent, and whether its process has ended isn't known: until then it doesn't count.
    var isSilence: Bool
  }

  /// One virtual rank, as its host last reported it.
  struct RankRecord: Sendable {
    var needed: Int
    /// Query tiles of it: what a tile folded weighs.
    let weight: Int
    var next = 0
    /// Under which `next` was told: under one epoch it only grows.
    var toldUnder = Epoch.lowest
    /// Under which its host has been heard of at all.
    var heardUnder = Epoch.lowest
    var copied = 0
    var durable = 0
    var isFinal = false
    /// Whether its host had trouble with the disk for checkpoints, and wrote none since.
    var hasDiskFailed = false
    /// When the loss of its host was found; nil once it is where it was.
    var foundAt: Duration?
    /// Since when its host is asked to hand it over.
    var askedAt: Duration?
    /// When it was found that its host can't.
    var stayedAt: Duration?
    /// When it was last handed over.
    var movedAt: Duration?
    /// Workers lost in a row since it was further than `strikePoint`, without those that came back; the
    /// last ones.
    var struck: [Strike] = []
    var strikePoint = -1
    var struckAt: Duration?

    /// Those that count.
    var strikes: [Strike] { struck.filter { !$0.isSilence } }

    /// Given to nobody: it may be known soon that it kills its workers.
    var isHeld: Bool { strikes.count >= Limits.strikesMaximum }

    /// What it got on with since shows that it kills nobody.
    mutating func forgetStrikes() {
      if max(copied, durable) > strikePoint { struck = [] }
    }

    /// Whether it has been where it is for a while: a rank doesn't move back and forth.
    func isSettled(at now: Duration) -> Bool {
      movedAt.map { now - $0 >= Limits.handOverInterval } ?? true
    }

    /// Work left.
    var load: Int { isFinal ? 0 : (needed - next) * weight }
  }

  init(plan: Plan, table: Assignment, workers: [WorkerMessage.Hello]) {
    self.plan = plan
    self.table = table
    participants = workers.map { Participant(identity: $0.participant) }
    ranks = plan.vranks.map {
      RankRecord(
        needed: plan.steps(of: $0).count, weight: plan.queryTiles(of: $0).count)
    }
    total = ranks.reduce(0) { $0 + $1.needed }
    neededBytes = Ring(plan: plan, assignment: table).neededBytes
  }

  /// The job is over: what was needed stays as it was.
  mutating func forgetBlocks() {
    guard let unknown = plan.job.blocksUnknown else { return }
    plan = Plan(job: plan.job, vrankCount: plan.vrankCount, blocks: unknown)
  }

  var folded: Int { ranks.reduce(0) { $0 + $1.next } }
  var isWholeFinal: Bool { ranks.allSatisfy(\.isFinal) }
  var numerics: String { participants.first?.identity.numerics ?? "" }

  func participant(_ worker: WorkerID) -> Int? {
    participants.firstIndex { $0.identity.worker == worker }
  }

  mutating func admit(_ hello: WorkerMessage.Hello) {
    guard participant(hello.worker) == nil else { return }
    if participants.count >= Limits.participantsMaximum,
      let gone = participants.firstIndex(where: { table.peer(of: $0.identity.worker) == nil })
    {
      participants.remove(at: gone)
    }
    participants.append(Participant(identity: hello.participant))
  }

  /// The host of a rank; nil while it has none.
  func host(of vrank: VRank) -> WorkerID? { table.worker(table.hosts[vrank.index].peer) }

  /// Ranks that a worker hosts and that aren't final.
  func openRanks(of worker: WorkerID) -> [VRank] {
    plan.vranks.filter { host(of: $0) == worker && !ranks[$0.index].isFinal }
  }

  func load(of worker: WorkerID) -> Int {
    openRanks(of: worker).reduce(0) { $0 + ranks[$1.index].load }
  }

  /// What a loss of a worker would cost, by the rank that is protected least.
  var protection: Protection {
    guard table.isProtected else { return .off }
    let open = ranks.filter { !$0.isFinal && $0.next > 0 }
    if open.isEmpty { return ranks.contains { $0.isFinal } ? .peerAndDisk : .none }
    if open.contains(where: { max($0.copied, $0.durable) == 0 }) { return .none }
    if open.contains(where: { $0.copied == 0 }) { return .diskOnly }
    let onlyCopied = open.filter { $0.durable == 0 }
    if onlyCopied.isEmpty { return .peerAndDisk }
    return onlyCopied.contains(where: \.hasDiskFailed) ? .peerDiskFailing : .peerOnly
  }

  /// A process that says hello again was cut off: no job has killed it.
  mutating func takeBackStrikes(at worker: WorkerID) {
    for index in ranks.indices { ranks[index].struck.removeAll { $0.worker == worker } }
  }

  /// The process of this name has ended: whoever had it and fell silent is dead.
  mutating func proveStrikes(at name: String) {
    for index in ranks.indices {
      for place in ranks[index].struck.indices where ranks[index].struck[place].name == name {
        ranks[index].struck[place].isSilence = false
      }
    }
  }

  /// What its workers have to come back to a coordinator that was restarted.
  var rejoinTimeout: Duration {
    table.isProtected ? Limits.rejoinTimeout : Limits.quietRejoinTimeout
  }

  mutating func note(_ recovery: Recovery) {
    recoveries.append(recovery)
    if recoveries.count > Limits.recoveriesKeptMaximum { recoveries.removeFirst() }
  }
}

extension WorkerMessage.Hello {
  var participant: JobImage.Participant {
    JobImage.Participant(
      worker: worker, name: name, processID: processID, level: level, threads: threads,
      numerics: numerics)
  }
}

// MARK: On disk

extension JobRun {
  func image(ageSeconds: Double) -> JobImage.Run {
    JobImage.Run(
      table: table, isFinal: ranks.map(\.isFinal), recoveries: recoveries,
      participants: participants.map(\.identity), ageSeconds: ageSeconds,
      traffic: participants.map(\.traffic), residentBytes: participants.map(\.residentBytes),
      needed: plan.mask.blocks.map { _ in ranks.map(\.needed) },
      neededBytes: plan.mask.blocks.map { _ in neededBytes })
  }

  /// The run as it was when the image was written; how far it is will be told by its workers, who
  /// have a while to come back.
  init(_ image: JobImage.Run, plan: Plan, at now: Duration) {
    self.init(plan: plan, table: image.table, workers: [])
    if let needed = image.needed, needed.count == ranks.count {
      for index in ranks.indices { ranks[index].needed = max(0, needed[index]) }
      total = ranks.reduce(0) { $0 + $1.needed }
    }
    if let neededBytes = image.neededBytes { self.neededBytes = neededBytes }
    participants = image.participants.map { Participant(identity: $0) }
    for (index, traffic) in zip(participants.indices, image.traffic ?? []) {
      participants[index].traffic = traffic
    }
    for (index, bytes) in zip(participants.indices, image.residentBytes ?? []) {
      participants[index].residentBytes = bytes
    }
    recoveries = image.recoveries
    for index in ranks.indices where image.isFinal.indices.contains(index) {
      ranks[index].isFinal = image.isFinal[index]
      if image.isFinal[index] { ranks[index].next = ranks[index].needed }
    }
    // A recovery under way is told to its end. How long there was no coordinator isn't known, and
    // isn't counted.
    let startedAt = now - .milliseconds(Int64(image.ageSeconds * 1_000))
    for recovery in recoveries where recovery.caughtUpSeconds == nil {
      let place = recovery.vrank.index
      guard ranks.indices.contains(place), table.hosts[place].epoch == recovery.epoch else {
        continue
      }
      ranks[place].foundAt = startedAt + .milliseconds(Int64(recovery.atSeconds * 1_000))
    }
    for peer in image.table.peers { awaited[peer.worker] = now + rejoinTimeout }
  }
}
