import AttentionKernels
import ElementTypes
import MeshCore
import MeshSimulation

/// A job, its inputs and a mesh to run it on.
struct Configuration: CustomStringConvertible {
  var job: AttentionJob
  var workers: Int
  var spread: Double
  var lateMaxima: Bool
  var seed: UInt64

  init(job: AttentionJob, workers: Int, spread: Double = 3, lateMaxima: Bool = false, seed: UInt64)
  {
    self.job = job
    self.workers = workers
    self.spread = spread
    self.lateMaxima = lateMaxima
    self.seed = seed
  }

  /// Any legal job of a few hundred thousand elements, on any mesh of up to nine workers.
  init(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let queries = random.logUniform(3_000)
    let keys = random.below(2) == 0 ? queries : random.logUniform(3_000)
    var dimension = random.logUniform(256)
    var keyHeads = random.logUniform(8)
    var group = random.logUniform(8)
    var batch = 1 + random.below(3)
    func elements() -> Int { batch * keyHeads * dimension * (group * queries + 2 * keys) }
    func operations() -> Int { 4 * batch * keyHeads * group * dimension * queries * keys }
    while elements() > 600_000 || operations() > 2_000_000_000 {
      switch random.below(4) {
      case 0: dimension = max(1, dimension / 2)
      case 1: keyHeads = max(1, keyHeads / 2)
      case 2: group = max(1, group / 2)
      default: batch = 1
      }
    }
    workers = 1 + random.below(9)
    let vranks = random.below(2) == 0 ? 0 : random.logUniform(4 * workers)
    let plain = 1 / Float(dimension).squareRoot()
    job = AttentionJob(
      batch: batch, queryHeads: keyHeads * group, keyValueHeads: keyHeads, queryTokens: queries,
      keyTokens: keys, headDimension: dimension, element: ElementType.allCases[random.below(3)],
      mask: [MaskRule.full, .causal][random.below(2)],
      scale: [plain, plain, plain, -0.7][random.below(4)],
      layout: Layout.allCases[random.below(2)], vranks: vranks)
    spread = random.logUniform(0.1, 30)
    lateMaxima = random.below(3) == 0
    self.seed = seed
    if random.below(3) > 0 { drawMask(&random) }
    if random.below(2) == 0 {
      let heads = job.flatKeyValueHeads
      let cuts = (1...min(heads, Limits.vranksMaximum)).filter { heads % $0 == 0 }
      job.headCuts = cuts[random.below(cuts.count)]
    }
    drawStrategy()
  }

  /// From numbers of its own, so that whatever else a seed says stays. One job in two says nothing.
  private mutating func drawStrategy() {
    var random = SplitMix64(seed: ~seed)
    if random.below(3) == 0 { job.layout = .striped }
    guard random.below(2) == 0 else { return }
    job.strategy = Strategy.allCases[random.below(4)]
    if job.strategy == .usp, random.below(2) == 0 {
      let heads = job.flatKeyValueHeads
      let divisors = (1...heads).filter { heads % $0 == 0 }
      let groups = divisors[random.below(divisors.count)]
      let shards = 1 + random.below(min((job.queryTokens + 63) / 64, 12))
      job.grid = Grid(groups: groups, shards: shards)
      job.vranks = groups * shards
    }
    job.cutHeads()
  }

  var tensors: MemoryTensors {
    MemoryTensors(job: job, spread: spread, lateMaxima: lateMaxima, seed: seed)
  }

  /// - Parameter windowBytes: of the packed tiles in a rank's window.
  func run(
    kernel: AttentionKernel = AttentionKernel(), order: UInt64? = nil,
    windowBytes: Int = Limits.windowBytes
  ) -> InProcessMesh.Outcome? {
    var mesh = InProcessMesh(workers: workers, kernel: kernel, tensors: tensors, seed: order)
    mesh.windowBytes = windowBytes
    return mesh.run(job)
  }

  /// The same job on one worker with one virtual rank: what its bytes are compared with.
  var alone: Configuration {
    var other = self
    other.workers = 1
    other.job.strategy = .auto
    other.job.grid = nil
    other.job.vranks = 1
    return other
  }

  var description: String {
    """
    seed \(seed): batch \(job.batch), heads \(job.queryHeads)/\(job.keyValueHeads), tokens \
    \(job.queryTokens)/\(job.keyTokens), d \(job.headDimension), \(job.element.name), \
    \(job.headCuts) cuts, \(job.strategy.name) \(job.grid?.name ?? ""), \(job.maskText), \(job.layout.name), scale \(job.scale), vranks \(job.vranks), \
    workers \(workers), spread \(spread)\(lateMaxima ? ", late maxima" : "")
    """
  }
}
