import ElementTypes
import Glibc
import MeshCore

/// A job drawn at random, and the flags that describe it.
struct RandomJob {
  var batch: Int?
  var queryHeads: Int
  var keyHeads: Int
  var queryTokens: Int
  var keyTokens: Int
  var headDimension: Int
  var element = ElementType.float32
  var mask = "full"
  var workers: Int
  var flags: [String] = []

  /// Sizes are log-uniform: small ones are where the corners are.
  init(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    workers = random.logUniform(1...9)
    headDimension = random.logUniform(1...256)
    queryTokens = random.logUniform(1...3_000)
    keyTokens = Bool.random(using: &random) ? queryTokens : random.logUniform(1...3_000)
    keyHeads = random.logUniform(1...8)
    queryHeads = keyHeads * random.logUniform(1...8)
    batch = Int.random(in: 0..<3, using: &random) == 0 ? random.logUniform(1...4) : nil
    // The Double reference pays for every element: some tens of millions are enough.
    while Double(heads * max(keyTokens, 64) * headDimension) > 2.5e6 {
      if (batch ?? 1) > 1 {
        batch = 1
      } else if queryHeads > keyHeads {
        queryHeads = keyHeads
      } else if keyHeads > 1 {
        (keyHeads, queryHeads) = (1, 1)
      } else {
        break
      }
    }
    element = ElementType.allCases.randomElement(using: &random) ?? .float32
    mask = Bool.random(using: &random) ? "causal" : "full"
    flags = ["--mask", mask]
    if Bool.random(using: &random) {
      flags += ["--layout", Bool.random(using: &random) ? "zigzag" : "contiguous"]
    }
    if Int.random(in: 0..<3, using: &random) == 0 {
      flags += ["--vranks", "\(random.logUniform(1...40))"]
    }
    flags += ["--threads", "\(random.logUniform(1...3))"]
  }

  /// A job of one's own choice.
  init(workers: Int, heads: Int, keyHeads: Int, tokens: Int, headDimension: Int, mask: String) {
    self.workers = workers
    self.keyHeads = keyHeads
    self.headDimension = headDimension
    self.mask = mask
    (queryHeads, queryTokens, keyTokens) = (heads, tokens, tokens)
    flags = ["--mask", mask]
  }

  private var heads: Int { (batch ?? 1) * queryHeads }

  /// Large logits in some jobs: uniform small inputs hide mistakes in rescaling.
  func tensors(seed: UInt64) -> JobTensors {
    var random = SplitMix64(seed: ~seed)
    let spread = [1.0, 1, 8, 30][Int.random(in: 0..<4, using: &random)]
    func tensor(_ heads: Int, _ tokens: Int, times factor: Double) -> TensorData {
      let shape = (batch.map { [$0] } ?? []) + [heads, tokens, headDimension]
      let values = (0..<shape.reduce(1, *)).map { _ in Float(random.normal() * factor) }
      return TensorData(values, element: element, shape: shape)
    }
    return JobTensors(
      query: tensor(queryHeads, queryTokens, times: spread),
      key: tensor(keyHeads, keyTokens, times: 1), value: tensor(keyHeads, keyTokens, times: 1))
  }
}

extension SplitMix64 {
  mutating func logUniform(_ range: ClosedRange<Int>) -> Int {
    let (low, high) = (log(Double(range.lowerBound)), log(Double(range.upperBound) + 1))
    let drawn = exp(Double.random(in: low..<high, using: &self))
    return min(range.upperBound, max(range.lowerBound, Int(drawn)))
  }
}
