import FoldEngine
import MeshCore
import Synchronization

/// A step of a rank.
struct Performed: Hashable, Sendable {
  let vrank: VRank
  let step: Int
}

/// Computes nothing, and says what it was asked for.
final class RecordingEngine: ProgramEngine {
  private let plan: Plan
  private let itemCount: Int
  private let log = Log()
  private var hosted: Set<VRank> = []
  private(set) var packed: [TileID: [[UInt8]]] = [:]
  /// K/V tiles and computed ones that were packed at once, at the most.
  private(set) var mostPacked = 0
  /// What was asked for and couldn't be done.
  private(set) var findings: [String] = []

  /// What compute threads did.
  final class Log: Sendable {
    let performed = Mutex<[Performed]>([])
    let items = Atomic<Int>(0)
  }

  struct Work: StepWork {
    let step: Performed
    let itemCount: Int
    let publications: [Publication]
    let visiblePairs = 0
    let log: Log

    /// The last item tells of the step.
    func perform(_ item: Int, scratch: FoldScratch) {
      if log.items.add(1, ordering: .relaxed).newValue % itemCount == 0 {
        log.performed.withLock { $0.append(step) }
      }
    }
  }

  init(plan: Plan, itemCount: Int = 1) {
    self.plan = plan
    self.itemCount = itemCount
  }

  var performed: [Performed] { log.performed.withLock { $0 } }
  var itemsDone: Int { log.items.load(ordering: .relaxed) }

  /// Bytes that are no other part's.
  func payload(of tile: TileID, part: Int) -> [UInt8] {
    let word = UInt64(tile.index) << 16 | UInt64(tile.tensor.rawValue) << 8 | UInt64(part)
    return withUnsafeBytes(of: word) { Array($0) }
  }

  func host(_ vrank: VRank) { hosted.insert(vrank) }

  func pack(_ tile: TileID, part: Int, payload: UnsafeRawBufferPointer) {
    if Array(payload) != self.payload(of: tile, part: part) {
      findings.append("\(tile) is another")
    }
    if tile.tensor == .query { return }
    if part != packed[tile, default: []].count { findings.append("part \(part) of \(tile)") }
    packed[tile, default: []].append(Array(payload))
    mostPacked = max(mostPacked, packed.count)
  }

  @discardableResult
  func unpack(_ tile: TileID) -> (any Sendable)? {
    let parts = packed.removeValue(forKey: tile)
    if parts == nil { findings.append("\(tile) isn't there to go") }
    return parts
  }

  func work(of vrank: VRank, steps numbers: Range<Int>) -> Work {
    let steps = plan.steps(of: vrank)
    let step = numbers.lowerBound
    if numbers.count != 1 { findings.append("\(numbers.count) steps at once") }
    if !hosted.contains(vrank) { findings.append("rank \(vrank) isn't hosted") }
    for tile in steps.reads(step) where packed[tile]?.count != plan.partCount(tile.tensor) {
      findings.append("step \(step) of rank \(vrank) reads \(tile), which isn't packed")
    }
    return Work(
      step: Performed(vrank: vrank, step: step), itemCount: itemCount,
      publications: steps.publishes(step).map { tile in
        Publication(
          tile: tile,
          copying: (0..<plan.partCount(tile.tensor)).map { payload(of: tile, part: $0) })
      }.map { [$0] } ?? [], log: log)
  }
}

/// Does no work before somebody waits for it.
final class LazyQueue: WorkQueue {
  private var unfinished: [() -> Void] = []
  private(set) var mostUnfinished = 0

  func submit(_ work: some ItemisedWork) {
    unfinished.append { CallingThread().submit(work) }
    mostUnfinished = max(mostUnfinished, unfinished.count)
  }

  func wait(unfinished count: Int) -> Int {
    while unfinished.count > count { unfinished.removeFirst()() }
    return unfinished.count
  }

  func cancel() { unfinished = [] }
}
