package import MeshCore

/// Everything that a seed decides before a run begins.
package struct SimulationOptions: Sendable {
  package var seed: UInt64
  /// Index of the job's shape.
  package var shape: Int
  package var workers: Int
  /// Of them: take part only in place of a lost one.
  package var spares: Int
  package var faults: [FaultKind]
  /// Faults that happen at a time.
  package var faultCount: Int
  /// One checkpoint directory for all workers, or one each.
  package var hasSharedSlots: Bool
  package var hasSlots: Bool
  package var isProtected = true
  /// Of the packed tiles in a rank's window.
  package var windowBytes = Limits.windowBytes
  /// Travelling accumulators that a rank publishes before readers have passed some.
  package var outboxTiles = Limits.outboxTiles
  package var defect: Defect?
  package var timing: Timing
  package var network: NetworkOptions
  /// Crashes at exact places, for enumeration.
  package var crashPoints: [CrashPoint] = []
  /// Messages arrive in the order in which they were sent, all over the mesh.
  package var isInOrder = false
  /// Copies of cores are told nonsense now and then.
  package var hasNoise = false

  /// Times in nanoseconds.
  package struct Timing: Sendable {
    package var tick = 50 * Time.millisecond
    /// Of folding one tile into one rank.
    package var tile = 20 * Time.millisecond
    package var copy = 20 * Time.microsecond
    package var slotWrite = 500 * Time.microsecond
    package var commit = Time.millisecond
    package var sync = 2 * Time.millisecond
    package var submitAt = 300 * Time.millisecond
  }

  package struct NetworkOptions: Sendable {
    package var delay = 100 * Time.microsecond
    package var jitter = 100 * Time.microsecond
    package var loss = 0.0
    package var duplication = 0.0
    package var corruption = 0.0
    /// Of a message that takes up to a hundred times as long.
    package var longDelays = 0.0
    package var isReordering = false
  }

  /// An actor that dies in front of an effect, counted over the whole run.
  package struct CrashPoint: Sendable {
    package var effect: Int

    package init(effect: Int) { self.effect = effect }
  }

  /// Nothing goes wrong.
  package init(calm seed: UInt64, workers: Int) {
    self.seed = seed
    shape = 0
    self.workers = workers
    spares = 0
    faults = []
    faultCount = 0
    hasSharedSlots = true
    hasSlots = true
    timing = Timing()
    network = NetworkOptions()
  }

  package init(seed: UInt64) {
    var chance = Chance(seed: seed, branch: 1)
    self.init(calm: seed, workers: chance.between(2, 5))
    shape = chance.below(JobShapes.count)
    spares = workers > 2 && chance.below(3) == 0 ? 1 : 0
    hasSlots = chance.below(8) != 0
    hasNoise = seed % 16 == 0
    hasSharedSlots = chance.below(2) == 0
    timing.tile = chance.logarithmic(8, 64) * Time.millisecond
    timing.copy = chance.logarithmic(1, 100) * timing.tile / 10_000
    timing.slotWrite = chance.logarithmic(100, 20_000) * Time.microsecond
    timing.commit = chance.logarithmic(100, 10_000) * Time.microsecond
    timing.sync = chance.logarithmic(100, 10_000) * Time.microsecond
    network.delay = chance.logarithmic(50, 8_000) * Time.microsecond
    network.jitter = network.delay * chance.below(3)
    // One seed in sixteen has no fault at all; the others use a handful of kinds.
    guard chance.below(16) != 0 else { return }
    let share = [0.1, 0.2, 0.35][chance.below(3)]
    faults = FaultKind.allCases.filter {
      !$0.isCompound && !$0.isLater && chance.happens(share)
    }
    drawCompound(share: share)
    // Something to recover from, more often than not.
    let losses: [FaultKind] = [.crash, .crashLosingDisk, .hostLost, .drain, .pause]
    if chance.below(8) != 0, let kind = chance.choose(losses), !faults.contains(kind) {
      faults.append(kind)
    }
    faultCount = faults.contains { !$0.isContinuous } ? chance.between(1, 5) : 0
    if faults.contains(.loss) { network.loss = 0.3 * chance.fraction() }
    if faults.contains(.duplication) { network.duplication = 0.5 * chance.fraction() }
    if faults.contains(.corruption) { network.corruption = 0.1 * chance.fraction() }
    if faults.contains(.longDelays) { network.longDelays = 0.2 * chance.fraction() }
    // Writes that take long are more often cut short.
    if faults.contains(.tornWrite) { timing.slotWrite = chance.between(10, 40) * Time.millisecond }
    network.isReordering = faults.contains(.reordering)
  }

  private mutating func drawCompound(share: Double) {
    var chance = Chance(seed: seed, branch: 7)
    faults += FaultKind.allCases.filter { $0.isCompound && chance.happens(share) }
    var later = Chance(seed: seed, branch: 8)
    if later.happens(share / 2) { faults.append(.cordon) }
    if later.happens(share / 2) { faults.append(.resets) }
    // A copy builds upon the one before only where rows are done early.
    if faults.contains(.missedTable) {
      shape = JobShapes.count + chance.below(JobShapes.longCount)
    } else if seed % 4 == 2 {
      shape += JobShapes.masked
    } else if seed % 8 == 5 {
      shape += JobShapes.rehearsed
      drawLosses()
    }
    drawWindow()
  }

  /// What was passed on is needed again only where a rank and all that protected it are lost, or one that has
  /// long been done.
  private mutating func drawLosses() {
    var chance = Chance(seed: seed, branch: 14)
    outboxTiles = chance.between(1, Limits.outboxTiles)
    guard faultCount > 0, chance.below(2) == 0 else { return }
    hasSlots = false
    faultCount += chance.between(2, 6)
    faults.append(.crashLosingDisk)
  }

  /// As if tiles had very many heads: windows of few tiles, or of one that is packed head by head.
  private mutating func drawWindow() {
    var chance = Chance(seed: seed, branch: 13)
    guard chance.below(3) == 0 else { return }
    let spec = JobShapes.spec(shape)
    let plan = Plan(job: spec, vrankCount: 1, blocks: spec.blocksUnknown)
    windowBytes = max(1, chance.below(4) * plan.packedTileBytes)
  }

  /// The label of a worker's machine.
  func machine(ofLineage lineage: Int) -> String {
    // Who comes from another machine is the better holder, and is made one at once.
    if faults.contains(.missedTable) { return "machine-\(lineage / workers)" }
    return hasSharedSlots ? "machine-\(lineage / 2)" : ""
  }
}

extension SimulationOptions: CustomStringConvertible {
  package var description: String {
    let spec = JobShapes.spec(shape)
    let kinds = faults.map(\.rawValue).joined(separator: ", ")
    return """
      seed \(seed): \(workers) workers\(spares > 0 ? ", \(spares) of them spare" : ""), \
      \(spec.vranks) virtual ranks, \(spec.queryTokens)×\(spec.keyTokens) tokens, \(spec.maskText), \
      \(spec.layout.name), d \(spec.headDimension); tile \(timing.tile / Time.microsecond) µs, \
      delay \(network.delay / Time.microsecond) µs, loss \(percent(network.loss)), \
      duplicates \(percent(network.duplication)), \
      \(hasSlots ? (hasSharedSlots ? "one checkpoint directory" : "a checkpoint directory each") : "no checkpoints"); \
      \(windowBytes == Limits.windowBytes ? "" : "windows of \(windowBytes) bytes; ")\
      \(faultCount) of: \(kinds.isEmpty ? "nothing" : kinds)
      """
  }

  private func percent(_ share: Double) -> String { "\(Int(share * 100)) %" }
}
