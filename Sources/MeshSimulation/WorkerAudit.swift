package import MeshCore

/// Watches what goes into and comes out of one worker core, and says what it must never do: hold
/// more than its bounds, fold out of order, serve what it hasn't got.
package struct WorkerAudit: Sendable {
  /// The first breach, if any.
  package private(set) var breach: String?
  /// The most that was held at a time.
  package private(set) var peaks = Peaks()

  package struct Peaks: Hashable, Sendable {
    package var packed = 0
    package var foreign = 0
    package var folds = 0
    package var storeBytes = 0
    package var results = 0
  }

  private var plan: Plan?
  private var ring: Ring?
  private var me = 0
  private var hosted: [VRank] = []
  private var packed: Set<Int> = []
  private var foreign: Set<Int> = []
  private var received: [TileID: Int] = [:]
  private var folds: [(vrank: VRank, tiles: Range<Int>)] = []
  private var next: [VRank: Int] = [:]
  private var storeBytes = 0
  private var results = 0

  package init() {}

  /// Before the core handles `event`, and given the source from which it would accept a part.
  package mutating func note(_ event: Worker.Event) {
    switch event {
    case .part(_, let tile, let part, let source):
      guard let plan, received[tile, default: 0] == part else { return }
      received[tile] = part + 1
      if source == .store { storeBytes -= plan.payloadBytes(of: tile, part: part) }
    case .folded(_, let vrank, let end):
      if let index = folds.firstIndex(where: { $0.vrank == vrank && $0.tiles.upperBound == end }) {
        folds.remove(at: index)
      }
    case .receipt(let receipt) where receipt.message >= 0: results -= 1
    default: break
    }
  }

  /// One effect of the core, in order.
  package mutating func note(_ effect: Worker.Effect, worker: WorkerID) {
    switch effect {
    case .begin(let assignment, let hosted): begin(assignment, hosted, worker)
    case .release: self = WorkerAudit(keeping: self)
    case .pull(let pull, let source): pulled(pull, source)
    case .pack(let tile): pack(tile)
    case .unpack(let tile):
      if packed.remove(tile.index) == nil { fail("unpacks \(tile), which isn't packed") }
      if folds.contains(where: { $0.tiles.contains(tile.index) }) {
        fail("unpacks \(tile) under a fold")
      }
    case .forget(let tile):
      if foreign.remove(tile.index) == nil { fail("forgets \(tile), which isn't held") }
      if packed.contains(tile.index) { fail("forgets \(tile) while it is packed") }
      received[tile] = nil
    case .fold(let vrank, let tiles): fold(vrank, tiles)
    case .serve(let tile, let part, _):
      if received[tile, default: 0] <= part { fail("serves part \(part) of \(tile) without it") }
    case .sendResult: results += 1
    default: break
    }
    checkBounds()
  }

  private init(keeping other: WorkerAudit) {
    breach = other.breach
    peaks = other.peaks
  }

  private mutating func begin(_ assignment: Assignment, _ hosted: [VRank], _ worker: WorkerID) {
    self = WorkerAudit(keeping: self)
    let plan = Plan(job: assignment.spec, vrankCount: assignment.vrankCount)
    self.plan = plan
    ring = Ring(plan: plan, assignment: assignment)
    me = assignment.peers.firstIndex { $0.worker == worker } ?? -1
    self.hosted = hosted
  }

  private mutating func pulled(_ pull: Pull, _ source: Worker.Source) {
    if source == .store { storeBytes += pull.creditBytes }
    if pull.firstPart != received[pull.tile, default: 0] { fail("asks for parts it has") }
    guard pull.tile.tensor == .keyValue else { return }
    if ring?.owner(of: pull.tile.index) == me {
      if source != .store { fail("asks a peer for its own \(pull.tile)") }
    } else {
      foreign.insert(pull.tile.index)
    }
  }

  private mutating func pack(_ tile: TileID) {
    guard let plan else { return fail("packs without a job") }
    if received[tile] != plan.partCount(tile.tensor) { fail("packs \(tile) before it is whole") }
    guard tile.tensor == .keyValue else { return }
    if !packed.insert(tile.index).inserted { fail("packs \(tile) twice") }
  }

  private mutating func fold(_ vrank: VRank, _ tiles: Range<Int>) {
    guard let plan, hosted.contains(vrank) else { return fail("folds rank \(vrank)") }
    if tiles.lowerBound != next[vrank, default: 0] { fail("rank \(vrank) folds \(tiles)") }
    if tiles.isEmpty || tiles.upperBound > plan.neededKeyTiles(of: vrank) {
      fail("rank \(vrank) folds \(tiles)")
    }
    if tiles.count > Limits.tilesPerFold { fail("folds \(tiles.count) tiles at once") }
    if !tiles.allSatisfy({ packed.contains($0) }) { fail("folds \(tiles) unpacked") }
    for query in plan.queryTiles(of: vrank)
    where received[.query(query)] != plan.partCount(.query) {
      fail("rank \(vrank) folds before its rows are there")
    }
    next[vrank] = tiles.upperBound
    folds.append((vrank, tiles))
  }

  private mutating func checkBounds() {
    guard let plan else { return }
    peaks.packed = max(peaks.packed, packed.count)
    peaks.foreign = max(peaks.foreign, foreign.count)
    peaks.folds = max(peaks.folds, folds.count)
    peaks.storeBytes = max(peaks.storeBytes, storeBytes)
    peaks.results = max(peaks.results, results)
    let window = 3 * Limits.windowTiles
    // The estimate that admission goes by counts two tiles beyond the windows.
    if packed.count > window + 2 { fail("\(packed.count) tiles packed") }
    if foreign.count > window + 2 { fail("\(foreign.count) foreign tiles held") }
    if folds.count > Limits.foldsOutstanding { fail("\(folds.count) folds outstanding") }
    if results > Limits.resultMessagesOutstanding { fail("\(results) results outstanding") }
    let tile = plan.payloadBytes(of: .keyValue(0)) + plan.payloadBytes(of: .query(0))
    if storeBytes > Limits.storeCreditBytes + tile {
      fail("\(storeBytes) bytes asked of the store")
    }
  }

  private mutating func fail(_ reason: String) {
    if breach == nil { breach = reason }
  }
}
