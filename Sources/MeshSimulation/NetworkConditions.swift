/// What the network does at the moment to messages from one process to another.
struct NetworkConditions {
  private struct Pair: Hashable {
    let from: Int
    let to: Int
  }

  /// How many partitions cut each pair; they may overlap.
  private var blocked: [Pair: Int] = [:]
  /// Until when messages of a pair are kept back.
  private var clogged: [Pair: Int] = [:]
  /// When a message between a worker and the coordinator was last lost or kept back: from then on its
  /// silence is explained for a while.
  private(set) var disturbedAt: [Int: Int] = [:]

  func isBlocked(_ from: Node, _ to: Node) -> Bool {
    !blocked.isEmpty && (blocked[Pair(from: from.number, to: to.number)] ?? 0) > 0
  }

  func cloggedUntil(_ from: Node, _ to: Node) -> Int? {
    clogged.isEmpty ? nil : clogged[Pair(from: from.number, to: to.number)]
  }

  mutating func block(_ from: Node, _ to: Node) {
    blocked[Pair(from: from.number, to: to.number), default: 0] += 1
  }

  mutating func unblock(_ from: Node, _ to: Node) {
    let pair = Pair(from: from.number, to: to.number)
    guard let count = blocked[pair] else { return }
    blocked[pair] = count > 1 ? count - 1 : nil
  }

  mutating func clog(_ from: Node, _ to: Node, until: Int) {
    clogged[Pair(from: from.number, to: to.number)] = until
  }

  mutating func heal() {
    blocked = [:]
    clogged = [:]
  }

  mutating func disturb(_ from: Node, _ to: Node, at now: Int) {
    guard from == .coordinator || to == .coordinator else { return }
    let worker = max(from.number, to.number)
    disturbedAt[worker] = max(now, disturbedAt[worker] ?? 0)
  }
}
