import MeshCore

extension SplitMix64 {
  /// About N(0, 1): twelve uniform numbers, summed.
  mutating func normal() -> Double {
    (0..<12).reduce(-6) { sum, _ in sum + Double.random(in: 0..<1, using: &self) }
  }
}
