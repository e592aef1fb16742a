import ElementTypes
import MeshCore
import MeshSimulation

extension SplitMix64 {
  mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &self) }

  /// An integer of 1 ... `maximum`, each order of magnitude as likely as another.
  mutating func logUniform(_ maximum: Int) -> Int {
    let exponent = Double.random(in: 0...1, using: &self)
    return min(maximum, max(1, Int(power(Double(maximum) + 1, exponent))))
  }

  mutating func logUniform(_ low: Double, _ high: Double) -> Double {
    low * power(high / low, Double.random(in: 0...1, using: &self))
  }

  /// About N(0, 1): four uniform numbers of 16 bits, summed.
  mutating func normal() -> Float {
    let bits = next()
    let sum = (bits & 0xFFFF) + (bits >> 16 & 0xFFFF) + (bits >> 32 & 0xFFFF) + (bits >> 48)
    return (Float(sum) / 65_536 - 2) * Float(3).squareRoot()
  }

  private func power(_ base: Double, _ exponent: Double) -> Double {
    // By squares of square roots: enough for drawing sizes, and the same on every machine.
    var (result, factor, rest) = (1.0, base, exponent)
    for _ in 0..<24 {
      factor = factor.squareRoot()
      rest *= 2
      if rest >= 1 {
        result *= factor
        rest -= 1
      }
    }
    return result
  }
}

extension MemoryTensors {
  /// N(0, 1) · `spread`; with `lateMaxima` every row's largest logit is in the last K/V tile it could
  /// see, so that whatever was folded before is rescaled.
  init(job: AttentionJob, spread: Double, lateMaxima: Bool, seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let d = job.headDimension
    let lastTile = (job.keyTokens - 1) / Plan.keyTileKeys * Plan.keyTileKeys
    func rows(_ heads: Int, _ tokens: Int, first: (Int) -> Float?) -> [UInt8] {
      var bytes: [UInt8] = []
      bytes.reserveCapacity(heads * tokens * d * job.element.byteCount)
      for _ in 0..<heads {
        for token in 0..<tokens {
          let fixed = first(token)
          for column in 0..<d {
            let value = column == 0 ? fixed : nil
            job.element.append(value ?? random.normal() * Float(spread), to: &bytes)
          }
        }
      }
      return bytes
    }
    let positive = Float(4 * spread) * (job.scale < 0 ? -1 : 1)
    self.init(
      job: job,
      query: rows(job.flatQueryHeads, job.queryTokens) { _ in lateMaxima ? positive : nil },
      key: rows(job.flatKeyValueHeads, job.keyTokens) { token in
        lateMaxima && token >= lastTile ? Float(8 * spread) : nil
      },
      value: rows(job.flatKeyValueHeads, job.keyTokens) { _ in nil },
      blockMap: Self.blockMap(of: job, seed: seed))
  }
}

extension ElementType {
  func append(_ value: Float, to bytes: inout [UInt8]) {
    switch self {
    case .float32: withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes += $0 }
    case .float16: withUnsafeBytes(of: Float16(value).bitPattern.littleEndian) { bytes += $0 }
    case .bfloat16:
      // Truncated: which of the neighbours it is doesn't matter for an input.
      let bits = UInt16(truncatingIfNeeded: value.bitPattern >> 16)
      withUnsafeBytes(of: bits.littleEndian) { bytes += $0 }
    }
  }

  /// Elements `range` of `bytes`, exactly.
  func values(_ bytes: [UInt8], _ range: Range<Int>) -> [Double] {
    bytes.withUnsafeBytes { buffer in
      range.map { index in
        switch self {
        case .float32: Double(buffer.loadUnaligned(fromByteOffset: index * 4, as: Float.self))
        case .float16: Double(buffer.loadUnaligned(fromByteOffset: index * 2, as: Float16.self))
        case .bfloat16:
          Double(
            Float(
              bitPattern: UInt32(
                buffer.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self)) << 16))
        }
      }
    }
  }
}
