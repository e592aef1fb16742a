internal import MeshCore

/// Draws from one branch of a seed's tree of generators: what one part of a simulation draws doesn't
/// change what another does.
struct Chance: Sendable {
  private var random: SplitMix64

  init(seed: UInt64, branch: UInt64) {
    // Two draws apart: neighbouring seeds and branches have nothing in common.
    var root = SplitMix64(seed: seed)
    var mixed = SplitMix64(seed: root.next() ^ (branch &* 0xD134_2543_DE82_EF95))
    random = SplitMix64(seed: mixed.next())
  }

  mutating func bits() -> UInt64 { random.next() }

  mutating func below(_ bound: Int) -> Int {
    bound <= 1 ? 0 : Int(random.next() % UInt64(bound))
  }

  mutating func between(_ low: Int, _ high: Int) -> Int { low + below(high - low + 1) }

  /// 0 ..< 1.
  mutating func fraction() -> Double { Double(random.next() >> 11) / 9_007_199_254_740_992 }

  mutating func happens(_ probability: Double) -> Bool {
    probability > 0 && fraction() < probability
  }

  mutating func choose<Element>(_ elements: [Element]) -> Element? {
    elements.isEmpty ? nil : elements[below(elements.count)]
  }

  /// Every order of magnitude as likely as another.
  mutating func logarithmic(_ low: Int, _ high: Int) -> Int {
    // Halvings: no logarithm whose last bit depends on the machine's library.
    var octaves = 0
    while low << (octaves + 1) <= high { octaves += 1 }
    let floor = low << below(octaves + 1)
    return min(high, floor + below(floor))
  }
}

/// Simulated time is counted in nanoseconds since the beginning of a run.
enum Time {
  static let microsecond = 1_000
  static let millisecond = 1_000_000
  static let second = 1_000_000_000

  /// For people: seconds with six decimals.
  static func text(_ nanoseconds: Int) -> String {
    let micros = nanoseconds / microsecond
    let digits = "\(micros % 1_000_000)"
    let zeros = String(repeating: "0", count: 6 - digits.count)
    return "\(micros / 1_000_000).\(zeros)\(digits)"
  }
}
