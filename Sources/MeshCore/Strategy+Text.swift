/// What was chosen, and why, for people and for scripts.
extension AttentionJob {
  /// The strategy that a grid is; for one that was asked for its name.
  package func strategyName(_ grid: Grid) -> String {
    if strategy != .auto { return strategy.name }
    if grid.groups == 1 { return Strategy.ring.name }
    return (grid.shards == 1 ? Strategy.ulysses : .usp).name
  }

  /// Why it is that one, and what passes between workers.
  ///
  /// - Parameter passesTiles: whether some worker needs a K/V tile of another's.
  package func strategyReason(_ grid: Grid, passesTiles: Bool) -> String {
    "\(choice(grid)): \(share(grid)), and \(traffic(grid, passesTiles))"
  }

  private func choice(_ grid: Grid) -> String {
    switch strategy {
    case .auto where grid.groups > 1: "fewer query tiles than ranks, so heads are cut, too"
    case .auto where grid.shards < queryPlaces: "there are query tiles for all ranks"
    case .auto: "there are as many ranks as query tiles, and no heads to cut"
    case .usp where self.grid == nil && vranks == 0:
      "as asked, in the most even grid with the fewest bytes"
    case .usp where self.grid == nil: "as asked, in the grid with the most ranks"
    case .ring, .ulysses, .usp: "as asked"
    }
  }

  private func share(_ grid: Grid) -> String {
    switch (grid.groups, grid.shards) {
    case (1, 1): "one rank has all heads of all tokens"
    case (1, _): "a rank has all heads of some tokens"
    default: "each rank loads its own heads from the store"
    }
  }

  private func traffic(_ grid: Grid, _ passesTiles: Bool) -> String {
    if !passesTiles { return "no tile passes between workers" }
    if grid.groups == 1 { return "K/V tiles pass between workers" }
    return "tiles pass only between workers that have ranks of the same group of heads"
  }
}
