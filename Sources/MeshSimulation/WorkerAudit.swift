package import MeshCore

/// Watches what goes into and comes out of one worker core, and says what it must never do: hold
/// more than its bounds, fold out of order, serve what it hasn't got.
package struct WorkerAudit: Sendable {
  /// The first breach, if any.
  package private(set) var breach: Breach?
  /// The most that was held at a time.
  package private(set) var peaks = Peaks()

  package struct Breach: Sendable {
    package let invariant: Invariant
    package let detail: String
  }

  package struct Peaks: Hashable, Sendable {
    package var packed = 0
    package var foreign = 0
    package var folds = 0
    package var storeBytes = 0
    package var results = 0
  }

  private struct Request {
    let source: Worker.Source
    /// Bytes of it that haven't arrived.
    var left: Int
    /// When something was last heard of it.
    var heard: Int
  }

  private var plan: Plan?
  private var ring: Ring?
  private var me = 0
  private var hosted: [VRank: Epoch] = [:]
  private var mostHosted = 0
  private var packed: Set<TileID> = []
  private var foreign: Set<TileID> = []
  /// Foreign tiles that were own when the table changed: they may be many.
  private var formerlyOwn: Set<TileID> = []
  private var received: [TileID: Int] = [:]
  private var requests: [TileID: Request] = [:]
  private var folds: [(vrank: VRank, steps: Range<Int>)] = []
  /// Where the next fold of a rank begins, once the first was asked for.
  private var next: [VRank: Int] = [:]
  private var storeBytes = 0
  /// Messages of results that nobody acknowledged, and when each was sent last.
  private var results: [VRank: [Int: Int]] = [:]
  /// The same of the copy that is on its way.
  private var copies: [Int: Int] = [:]

  private let windowBytes: Int

  package init(windowBytes: Int = Limits.windowBytes) { self.windowBytes = windowBytes }

  /// Before the core handles `event`.
  package mutating func note(_ event: JobEvent, now: Int) {
    switch event {
    case .answer(let answer, let tile, let source):
      guard requests[tile]?.source == source else { return }
      requests[tile]?.heard = now
      if answer == .gone { requests[tile] = nil }
    case .restored(let vrank, let epoch, _, let tiles):
      // Of a rank that is another's by now the core passes it over.
      guard hosted[vrank] == epoch else { return }
      for tile in tiles { have(tile) }
    case .replayed(let tile): have(tile)
    case .folded(let vrank, let epoch, let end, _):
      publish(folds.first { $0.vrank == vrank && $0.steps.upperBound == end }?.steps, vrank, epoch)
      if let index = folds.firstIndex(where: { $0.vrank == vrank && $0.steps.upperBound == end }) {
        folds.remove(at: index)
      }
    case .receipt(let receipt):
      guard hosted[receipt.vrank] == receipt.epoch else { return }
      // What is refused is sent again, with all after it.
      results[receipt.vrank] = receipt.status == .ok ? results[receipt.vrank] : nil
      results[receipt.vrank]?[receipt.message] = nil
    case .copyReceipt(let receipt, _):
      if receipt.status == .dataLoss { copies = [:] }
      if receipt.status == .ok { copies = copies.filter { $0.key > receipt.message } }
    default: break
    }
  }

  private mutating func publish(_ steps: Range<Int>?, _ vrank: VRank, _ epoch: Epoch) {
    guard let plan, let steps, hosted[vrank] == epoch else { return }
    let program = plan.steps(of: vrank)
    for step in steps {
      guard let tile = program.publishes(step) else { continue }
      have(tile)
      foreign.remove(tile)
    }
  }

  /// A whole tile is here, whatever was asked for.
  /// Tiles that the compute threads were given once more.
  private var replayed: Set<TileID> = []

  private mutating func have(_ tile: TileID) {
    received[tile] = plan?.partCount(tile.tensor)
    requests[tile] = nil
  }

  /// One effect of the core, in order.
  package mutating func note(_ effect: Worker.Effect, worker: WorkerID, now: Int) {
    switch effect {
    case .begin(let table, let plan): begin(table, plan, worker)
    case .job(_, let effect): note(effect, worker, now)
    case .release: self = WorkerAudit(keeping: self)
    default: return
    }
    checkBounds(at: now)
  }

  private mutating func note(_ effect: JobEffect, _ worker: WorkerID, _ now: Int) {
    switch effect {
    case .adopt(let table): adopt(table, worker)
    case .tile(let effect): note(effect, now)
    case .step(let effect): note(effect)
    case .result(.sendResult(let vrank, _, let message)):
      results[vrank, default: [:]][message] = now
    case .restore(.loadState(let header, _)):
      if let tile = header.tile {
        received[tile] = max(received[tile] ?? 0, header.part + 1)
        if header.part + 1 == plan?.partCount(tile.tensor) { requests[tile] = nil }
      }
    case .copy(.sendCopy(let header, _)): copies[header.message] = now
    case .copy(.dropSnapshot): copies = [:]
    default: break
    }
  }

  private mutating func note(_ effect: TileEffect, _ now: Int) {
    switch effect {
    case .pull(let pull, let source): pulled(pull, source, now)
    case .pack(let tile): pack(tile)
    case .unpack(let tile): unpack(tile)
    case .forget(let tile): forget(tile)
    case .serve(let tile, let part, _):
      if received[tile, default: 0] <= part {
        fail(.sources, "serves part \(part) of \(tile) without it")
      }
    case .keepPart(let tile, let part, _): keep(part, of: tile, now)
    case .answer: break
    }
  }

  private mutating func keep(_ part: Int, of tile: TileID, _ now: Int) {
    guard let plan else { return }
    if part != received[tile, default: 0] { fail(.sources, "keeps part \(part) of \(tile)") }
    received[tile] = part + 1
    guard var request = requests[tile] else { return }
    let bytes = plan.payloadBytes(of: tile, part: part)
    if request.source == .store { storeBytes -= bytes }
    request.left -= bytes
    request.heard = now
    requests[tile] = part + 1 == plan.partCount(tile.tensor) ? nil : request
  }

  private mutating func note(_ effect: StepEffect) {
    switch effect {
    case .host(let vrank, let epoch):
      hosted[vrank] = epoch
      next[vrank] = nil
      // Its rows come, also where an earlier tenure had them.
      for tile in plan?.queryTiles(of: vrank) ?? [] { received[.query(tile)] = nil }
    case .fold(let vrank, let epoch, let steps): fold(vrank, epoch, steps)
    case .abandon(let vrank, _), .retire(let vrank, _):
      hosted[vrank] = nil
      results[vrank] = nil
    case .replay(let tile): replayed.insert(tile)
    case .finish: break
    }
  }

  /// A tile that was asked for and of which nothing was heard for longer than the core waits.
  func overdue(at now: Int) -> TileID? {
    let limit = now - Int(Limits.pullTimeout / .nanoseconds(1)) - Time.second
    return requests.filter { $0.value.heard < limit }.keys.min()
  }

  private init(keeping other: WorkerAudit) {
    windowBytes = other.windowBytes
    breach = other.breach
    peaks = other.peaks
  }

  private mutating func begin(_ table: Assignment, _ plan: Plan, _ worker: WorkerID) {
    self = WorkerAudit(keeping: self)
    self.plan = plan
    adopt(table, worker)
  }

  private mutating func adopt(_ table: Assignment, _ worker: WorkerID) {
    guard let plan else { return }
    ring = Ring(plan: plan, assignment: table)
    me = table.peer(of: worker) ?? -1
    let here = Set(received.keys).union(requests.keys).filter { $0.tensor != .query }
    for tile in here.sorted() {
      if ring?.owner(of: tile) == me {
        foreign.remove(tile)
        formerlyOwn.remove(tile)
      } else if foreign.insert(tile).inserted {
        formerlyOwn.insert(tile)
      }
    }
  }

  private mutating func pulled(_ pull: Pull, _ source: Worker.Source, _ now: Int) {
    if pull.firstPart != received[pull.tile, default: 0] {
      fail(
        .credit,
        "asks for part \(pull.firstPart) of \(pull.tile) and has \(received[pull.tile, default: 0])"
      )
    }
    giveBack(pull.tile)
    if source == .store { storeBytes += pull.creditBytes }
    requests[pull.tile] = Request(source: source, left: pull.creditBytes, heard: now)
    guard pull.tile.tensor != .query, ring?.owner(of: pull.tile) != me else { return }
    foreign.insert(pull.tile)
  }

  private mutating func giveBack(_ tile: TileID) {
    guard let request = requests.removeValue(forKey: tile), request.source == .store else { return }
    storeBytes -= request.left
  }

  private mutating func pack(_ tile: TileID) {
    guard let plan else { return fail(.bounds, "packs without a job") }
    if received[tile] != plan.partCount(tile.tensor) {
      fail(.exactTiles, "packs \(tile) before it is whole")
    }
    guard tile.tensor != .query else { return }
    if !packed.insert(tile).inserted { fail(.bounds, "packs \(tile) twice") }
  }

  private mutating func unpack(_ tile: TileID) {
    if packed.remove(tile) == nil { fail(.bounds, "unpacks \(tile), which isn't packed") }
    let isUnderFold = folds.contains { fold in
      plan?.steps(of: fold.vrank).read(tile, in: fold.steps) == true
    }
    if isUnderFold {
      fail(.exactTiles, "unpacks \(tile) under a fold")
    }
  }

  private mutating func forget(_ tile: TileID) {
    giveBack(tile)
    defer { received[tile] = nil }
    guard tile.tensor != .query else { return }
    let isOwn = ring?.owner(of: tile) == me
    // A shard is kept for whoever needs it, as long as the job runs; what is passed on isn't.
    // Nor what was only asked for, of a rank that has come here since, nor what was handed in.
    let isHandedIn =
      tile.tensor == .gradient && plan.map { hosted[$0.owner(of: tile)] == nil } == true
    if isOwn, tile.tensor != .partial, !isHandedIn, received[tile] == plan?.partCount(tile.tensor) {
      fail(.sources, "forgets \(tile), which it owns")
    }
    // What was computed here once more was never asked for, and its rank may have gone meanwhile.
    let wasComputed = replayed.remove(tile) != nil
    if foreign.remove(tile) == nil, !isOwn, !wasComputed {
      fail(.bounds, "forgets \(tile), which isn't held")
    }
    formerlyOwn.remove(tile)
    if packed.contains(tile) { fail(.exactTiles, "forgets \(tile) while it is packed") }
  }

  private mutating func fold(_ vrank: VRank, _ epoch: Epoch, _ steps: Range<Int>) {
    guard let plan, hosted[vrank] == epoch else {
      return fail(.oneOwner, "folds rank \(vrank), which it doesn't host under \(epoch)")
    }
    if let next = next[vrank], steps.lowerBound != next {
      fail(.foldOrder, "does steps \(steps) of rank \(vrank) after \(next)")
    }
    let all = plan.steps(of: vrank)
    guard !steps.isEmpty, steps.upperBound <= all.count else {
      return fail(.exactTiles, "does steps \(steps) of rank \(vrank), which has \(all.count)")
    }
    if steps.count > Limits.tilesPerFold { fail(.bounds, "folds \(steps.count) tiles at once") }
    if !steps.allSatisfy({ all.reads($0).allSatisfy { packed.contains($0) } }) {
      fail(.exactTiles, "does steps \(steps) of rank \(vrank) with tiles that aren't packed")
    }
    for query in plan.queryTiles(of: vrank)
    where received[.query(query)] != plan.partCount(.query) {
      fail(.exactTiles, "rank \(vrank) folds before its rows are there")
    }
    next[vrank] = steps.upperBound
    folds.append((vrank, steps))
  }

  private mutating func checkBounds(at now: Int) {
    guard let plan else { return }
    // What nobody answered for longer may be taken for lost, and something else be sent.
    let limit = now - Int(Limits.answerTimeoutMinimum / .nanoseconds(1))
    let results = results.values.reduce(0) { $0 + $1.values.count { $0 > limit } }
    let copyLimit = now - Int(Limits.copyTimeout / .nanoseconds(1))
    let copies = copies.values.count { $0 > copyLimit }
    let foreign = foreign.count - formerlyOwn.count
    peaks.packed = max(peaks.packed, packed.count)
    peaks.foreign = max(peaks.foreign, foreign)
    peaks.folds = max(peaks.folds, folds.count)
    peaks.storeBytes = max(peaks.storeBytes, storeBytes)
    peaks.results = max(peaks.results, results)
    mostHosted = max(mostHosted, hosted.count)
    // What the estimate that admission goes by counts.
    let most = TileWindow(plan: plan, budget: windowBytes).most(hosted: mostHosted)
    if packed.count > most { fail(.bounds, "has \(packed.count) tiles packed") }
    if foreign > most { fail(.bounds, "holds \(foreign) foreign tiles") }
    if folds.count > Limits.foldsOutstanding {
      fail(.bounds, "has \(folds.count) folds outstanding")
    }
    if results > Limits.resultMessagesOutstanding {
      fail(.bounds, "has \(results) results outstanding")
    }
    if copies > Limits.copyMessagesOutstanding {
      fail(.bounds, "has \(copies) messages of a copy outstanding")
    }
    let tile = plan.payloadBytes(of: .keyValue(0)) + plan.payloadBytes(of: .query(0))
    if storeBytes > Limits.storeCreditBytes + tile {
      fail(.bounds, "has asked the store for \(storeBytes) bytes")
    }
  }

  private mutating func fail(_ invariant: Invariant, _ detail: String) {
    if breach == nil { breach = Breach(invariant: invariant, detail: detail) }
  }
}
