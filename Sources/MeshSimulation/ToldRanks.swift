internal import MeshCore

/// What a coordinator told of ranks and can't take back (I6).
struct ToldRanks {
  private var ranks: [RankStatus] = []
  /// Epochs under which a rank went back: its new host found less than its old one had.
  private var fallen: Set<Epoch> = []
  private var term: UInt64 = 0

  /// - Returns: what went back that must not.
  mutating func note(_ status: JobStatus, term: UInt64) -> String? {
    defer { (ranks, self.term) = (status.ranks, term) }
    // Answers don't wait for the disk: what a coordinator told right before it died may never have been.
    guard term == self.term else { return nil }
    for (old, new) in zip(ranks, status.ranks) {
      if old.isFinal, !new.isFinal { return "rank \(new.vrank) is no longer final" }
      if new.epoch < old.epoch { return "rank \(new.vrank) went back to epoch \(new.epoch)" }
      guard new.epoch == old.epoch, new.next < old.next else { continue }
      if !fallen.insert(new.epoch).inserted {
        return "rank \(new.vrank) went from \(old.next) to \(new.next) under \(new.epoch)"
      }
    }
    return nil
  }
}
