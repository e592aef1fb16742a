internal import AttentionMasks

/// Shares are rectangles: groups of heads, and in each of them shards of tokens that pass its K/V tiles on.
enum USPGrid: GridRule {
  static func headCuts(of job: AttentionJob, blocks: BlockMap?) -> Int {
    job.grid?.groups ?? job.dealtHeadCuts
  }

  static func grid(of job: AttentionJob, atMost vranks: Int) -> Grid {
    if let grid = job.grid, grid.ranks <= vranks { return grid }
    // As many ranks as there can be, and of those grids that with the fewest bytes.
    let most = grids(of: job, atMost: vranks).max {
      ($0.ranks, $0.groups) < ($1.ranks, $1.groups)
    }
    return most ?? Grid(groups: 1, shards: 1)
  }

  /// The largest one for each number of groups.
  private static func grids(of job: AttentionJob, atMost vranks: Int) -> [Grid] {
    groups(of: job, atMost: vranks).map {
      Grid(groups: $0, shards: min(vranks / $0, job.queryPlaces))
    }
  }

  private static func groups(of job: AttentionJob, atMost most: Int) -> [Int] {
    (1...job.headGroups(atMost: most)).filter { job.headCuts % $0 == 0 }
  }

  static func vranks(of job: AttentionJob, workers: Int) -> Int {
    if let grid = job.grid { return grid.ranks }
    let grids = groups(of: job, atMost: Limits.vranksMaximum).flatMap { groups in
      (1...min(job.queryPlaces, Limits.vranksMaximum / groups)).map {
        Grid(groups: groups, shards: $0)
      }
    }
    return Grid.best(of: grids, job: job, workers: workers)?.ranks ?? 1
  }

  static func problem(of job: AttentionJob) -> String? {
    guard let grid = job.grid else { return nil }
    let (groups, shards, most) = (grid.groups, grid.shards, Limits.vranksMaximum)
    guard (1...most).contains(groups), (1...most).contains(shards), grid.ranks <= most else {
      let product = groups.multipliedReportingOverflow(by: shards)
      let ranks = product.overflow ? "" : ", which is \(product.partialValue)"
      return
        "a grid of \(grid.name): it has as many virtual ranks as its product\(ranks); they must be 1 to \(most)"
    }
    let heads = job.flatKeyValueHeads
    guard heads % groups == 0 else {
      return
        "a grid of \(grid.name): \(groups) groups don't divide batch × key/value heads, which is"
        + " \(heads)"
    }
    guard shards <= job.queryPlaces else {
      return
        "a grid of \(grid.name): \(shards) shards of tokens, but only"
        + " \(counted(job.queryPlaces, "query tile"))"
    }
    guard groups <= job.headGroupsMaximum else {
      return
        "a grid of \(grid.name): \(groups) groups of \(job.keyPlaces) K/V tiles each; at most"
        + " \(Limits.groupedTilesMaximum) tiles"
    }
    guard job.headCuts % groups == 0 else {
      return "a grid of \(grid.name): \(groups) groups of parts that are cut in \(job.headCuts)"
    }
    guard job.vranks == grid.ranks else {
      return
        "a grid of \(grid.name) has \(counted(grid.ranks, "virtual rank")), not \(job.vranks)"
    }
    return nil
  }
}
