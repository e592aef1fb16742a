extension JobStatus {
  /// How its shares are cut; nil before it has any.
  package var grid: Grid? {
    vrankCount > 0 ? Grid(of: summary.spec, vranks: vrankCount) : nil
  }

  /// What the strategy came to, and why; nil before there are shares.
  package var strategy: (name: String, grid: Grid, reason: String)? {
    grid.map {
      let reason = summary.spec.strategyReason($0, passesTiles: neededBytes > 0)
      return (summary.spec.strategyName($0), $0, reason)
    }
  }
}
