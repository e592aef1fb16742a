/// How fast something gets done of late, and how long the rest will take at that pace.
package struct Pace: Sendable {
  private var samples: [(seconds: Double, done: Double)] = []

  /// Samples that are kept, and how far they lie apart: the pace of the last half minute.
  private static let samplesMaximum = 60
  private static let interval = 0.5
  /// Before that a pace says little.
  private static let patience = 2.0

  package init() {}

  /// Takes how much is done of how much, at a time of any monotonic clock.
  ///
  /// - Returns: seconds until all is done; nil while that can't be said.
  package mutating func remaining(done: Int, total: Int, at seconds: Double) -> Double? {
    // What goes back, as after a loss without a copy, begins anew.
    if let last = samples.last, Double(done) < last.done || seconds < last.seconds {
      samples.removeAll()
    }
    if samples.last.map({ seconds - $0.seconds >= Self.interval }) ?? true {
      samples.append((seconds, Double(done)))
      if samples.count > Self.samplesMaximum { samples.removeFirst() }
    }
    guard let first = samples.first, seconds - first.seconds >= Self.patience,
      Double(done) > first.done, total > done
    else { return nil }
    return Double(total - done) * (seconds - first.seconds) / (Double(done) - first.done)
  }
}
