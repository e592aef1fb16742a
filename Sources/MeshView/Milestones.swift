/// When progress is worth a line where lines stay, as in a log: at every tenth of the whole, and not more
/// often than every ten seconds.
package struct Milestones: Sendable {
  private static let interval = 10.0

  private var last: Double?
  private var tenths = 0
  private var total = 0

  package init() {}

  /// Takes how much is done of how much, at a time of any monotonic clock.
  ///
  /// - Returns: the percentage to tell; nil mostly.
  package mutating func percent(done: Int, total: Int, at seconds: Double) -> Int? {
    // Another whole begins anew, as results do that are fetched after the job.
    if total != self.total { (self.total, tenths) = (total, 0) }
    let start = last ?? seconds
    if last == nil { last = seconds }
    guard total > 0, done < total, case let reached = 10 * done / total, reached > tenths,
      seconds - start >= Self.interval
    else { return nil }
    (tenths, last) = (reached, seconds)
    return 10 * reached
  }
}
