internal import AttentionKernels
internal import AttentionMasks
package import MeshCore
internal import Synchronization

/// The jobs that simulations run: a few dozen shapes, so that inputs and oracles are made once.
package final class JobShapes: Sendable {
  package static let count = 48
  /// Further ones, with nearly as many rows as keys: the first rows of a rank are done long before the
  /// last ones, and copies leave them out.
  package static let longCount = 6
  /// The first `count` ones again, with masks under which ranks skip tiles: windows, sinks, packed
  /// documents, block maps.
  package static let masked = count + longCount

  /// The masked ones again, and before them the first ones, as rehearsals of programs with computed tiles.
  package static let rehearsed = masked + count

  /// The masked ones again, and before them the first ones, as jobs of gradients.
  package static let differentiated = rehearsed + masked + count

  /// What a job computes.
  package enum Kind: Sendable, Hashable {
    case attention
    case rehearsal
    case gradients
  }

  private let known = Mutex<[Int: SimulatedJob]>([:])
  private let kernel = AttentionKernel()

  package init() {}

  package subscript(index: Int) -> SimulatedJob {
    if let job = known.withLock({ $0[index] }) { return job }
    // Outside the lock: two threads may make the same one, which is the same.
    let job = SimulatedJob(
      spec: Self.spec(index), inputs: MemoryTensors(job: Self.spec(index), seed: UInt64(index)),
      kernel: kernel)
    return known.withLock { known in
      if let first = known[index] { return first }
      known[index] = job
      return job
    }
  }

  /// Twelve K/V tiles or more, four virtual ranks or more, few heads and a tiny head dimension.
  package static func spec(_ index: Int) -> AttentionJob {
    if index >= differentiated {
      let index = index - differentiated
      var job = index % 2 == 0 ? spec(index) : maskedSpec(index)
      (job.layout, job.outputGradient) = (.contiguous, .float32)
      return job
    }
    if index >= rehearsed {
      var job = index % 2 == 0 ? spec(index - rehearsed) : maskedSpec(index - rehearsed)
      job.isRehearsal = true
      return job
    }
    if index >= masked { return maskedSpec(index - masked) }
    if index >= count { return longSpec(index - count) }
    var chance = Chance(seed: UInt64(index), branch: 11)
    let vranks = chance.between(4, 8)
    // Some ranks have several query tiles, so that their state is several messages.
    let queryTiles = index % 4 == 1 ? 3 * vranks : vranks + chance.below(vranks + 1)
    let isGrouped = chance.below(4) == 0
    return AttentionJob(
      batch: 1, queryHeads: isGrouped ? 2 : 1, keyValueHeads: 1,
      queryTokens: 64 * queryTiles - chance.below(60),
      keyTokens: 256 * chance.between(12, 20) - chance.below(250),
      headDimension: [4, 5, 8][chance.below(3)], element: .float32,
      mask: index % 2 == 0 ? .full : .causal, scale: 0.5,
      layout: index % 3 == 0 ? .contiguous : .zigzag, vranks: vranks)
  }

  private static func maskedSpec(_ index: Int) -> AttentionJob {
    var chance = Chance(seed: UInt64(index), branch: 12)
    var job = spec(index)
    job.mask = MaskRule(isCausal: job.mask.isCausal)
    if chance.below(3) > 0 {
      job.mask.left = chance.between(400, 2_500)
      job.mask.sinkTokens = chance.below(2) * chance.between(1, 600)
      if !job.mask.isCausal { job.mask.right = chance.below(1_500) }
    }
    if job.mask.left == nil || chance.below(2) == 0 {
      let documents = chance.between(2, 4)
      job.mask.documents = MaskRule.Documents(
        queries: cut(job.queryTokens, into: documents, &chance),
        keys: cut(job.keyTokens, into: documents, &chance))
    }
    if chance.below(2) == 0 {
      let sizes = [40, 64, 200, 256, 700]
      job.mask.blocks = MaskRule.Block(
        queries: sizes[chance.below(5)], keys: sizes[chance.below(5)],
        isPerHead: chance.below(2) == 0)
    }
    return job
  }

  /// Lengths that add up.
  private static func cut(_ tokens: Int, into count: Int, _ chance: inout Chance) -> [Int] {
    var cuts: [Int] = []
    for _ in 1..<count { cuts.append(chance.below(tokens + 1)) }
    cuts.sort()
    return zip([0] + cuts, cuts + [tokens]).map { $1 - $0 }
  }

  private static func longSpec(_ index: Int) -> AttentionJob {
    AttentionJob(
      batch: 1, queryHeads: 1, keyValueHeads: 1,
      // The first one's copies have more messages than may be on their way at once.
      queryTokens: index == 0 ? 5_200 : 2_000 + 90 * index,
      keyTokens: 3_072 + 100 * index, headDimension: 4, element: .float32, mask: .causal,
      scale: 0.5, layout: .zigzag, vranks: 4 + index % 4)
  }

  /// Of crash-point enumeration: four virtual ranks, eight tiles.
  package static func small(_ kind: Kind = .attention) -> SimulatedJob {
    var spec = AttentionJob(
      batch: 1, queryHeads: 1, keyValueHeads: 1, queryTokens: 500, keyTokens: 2_000,
      headDimension: 4, element: .float32, mask: .causal, scale: 0.5, layout: .zigzag, vranks: 4)
    spec.isRehearsal = kind == .rehearsal
    if kind == .gradients { (spec.layout, spec.outputGradient) = (.contiguous, .float32) }
    return SimulatedJob(
      spec: spec, inputs: MemoryTensors(job: spec, seed: 1), kernel: AttentionKernel())
  }
}

extension MemoryTensors {
  /// Float32 inputs about N(0, 1) times three, the largest logits anywhere.
  init(job: AttentionJob, seed: UInt64) {
    var random = SplitMix64(seed: seed)
    func floats(_ byteCount: Int) -> [UInt8] {
      var bytes: [UInt8] = []
      bytes.reserveCapacity(byteCount)
      for _ in 0..<byteCount / 4 {
        let bits = random.next()
        let sum = (bits & 0xFFFF) + (bits >> 16 & 0xFFFF) + (bits >> 32 & 0xFFFF) + (bits >> 48)
        let value = (Float(sum) / 65_536 - 2) * 5
        withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes += $0 }
      }
      return bytes
    }
    precondition(job.element == .float32)
    var attention = job
    attention.outputGradient = nil
    self.init(
      job: attention, query: floats(job.queryBytes), key: floats(job.keyBytes),
      value: floats(job.keyBytes), blockMap: Self.blockMap(of: job, seed: seed))
    guard job.isBackward else { return }
    precondition(job.outputGradient == .float32)
    // The log-sum-exp is the real one, or weights would be no weights.
    let forward = SimulatedJob(spec: attention, inputs: self, kernel: AttentionKernel())
    let logSumExp = Self.floats(forward.oracle?.results[1] ?? [])
    var all = inputs
    all[.outputGradient] = floats(job.byteCount(.outputGradient))
    let differences = Self.floats(floats(4 * logSumExp.count))
    all[.rowStatistics] = zip(logSumExp, differences).flatMap { logSumExp, difference in
      [logSumExp * 1.442_695, difference].flatMap { value in
        withUnsafeBytes(of: value) { Array($0) }
      }
    }
    self.init(job: job, all)
  }

  /// The bits of a job's block map, if it has one: some of its blocks, and no block of some rows and
  /// columns.
  package static func blockMap(of job: AttentionJob, seed: UInt64) -> [UInt8] {
    guard let block = job.mask.blocks, let (heads, rows, columns) = job.blockMapShape else {
      return []
    }
    var chance = Chance(seed: seed, branch: 14)
    let share = chance.between(1, 9)
    let emptyColumns = (0..<columns).map { _ in chance.below(6) == 0 }
    var cells: [Bool] = []
    for _ in 0..<heads * rows {
      let isEmpty = chance.below(8) == 0
      for column in 0..<columns {
        cells.append(chance.below(10) < share && !isEmpty && !emptyColumns[column])
      }
    }
    return BlockMap(
      queries: block.queries, keys: block.keys, heads: heads, rows: rows, columns: columns,
      cells: cells
    ).bytes
  }
}
