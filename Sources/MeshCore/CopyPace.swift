/// How often a rank is copied: the smallest number of tiles whose copy costs no more than
/// `Limits.copyCostMaximum` of the time it takes to fold them, as measured, and never so many that
/// there would be fewer than `Limits.copiesOfARankMinimum` copies.
struct CopyPace: Sendable {
  /// Time of compute threads for one tile, and of all threads for one copy: running means.
  private(set) var tile: Duration?
  private(set) var copy: Duration?

  mutating func folded(_ tiles: Int, _ cost: Duration) {
    guard tiles > 0 else { return }
    tile = mean(tile, cost / tiles)
  }

  mutating func copied(_ cost: Duration) { copy = mean(copy, cost) }

  private func mean(_ old: Duration?, _ new: Duration) -> Duration {
    old.map { ($0 * 3 + new) / 4 } ?? new
  }

  /// Tiles from one copy to the next of a rank that folds `needed`.
  func interval(needed: Int) -> Int {
    let most = max(1, needed / Limits.copiesOfARankMinimum)
    // The first copy comes early, and says what one costs.
    guard let tile, let copy else { return max(1, most / 2) }
    guard tile > .zero else { return most }
    let least = (copy / tile) / Limits.copyCostMaximum
    return least < Double(most) ? max(1, Int(least.rounded(.up))) : most
  }
}
