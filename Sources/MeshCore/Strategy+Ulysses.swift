internal import AttentionMasks

/// Shares are heads: as many groups as there are key/value heads, and ranks, for. Tokens are cut only where
/// there are more ranks than groups.
enum UlyssesGrid: GridRule {
  static func headCuts(of job: AttentionJob, blocks: BlockMap?) -> Int {
    guard job.vranks > 0 else { return job.dealtHeadCuts }
    return AttentionJob.divisor(
      of: job.flatKeyValueHeads, atMost: min(job.vranks, job.headGroupsMaximum))
  }

  static func grid(of job: AttentionJob, atMost vranks: Int) -> Grid {
    let groups = job.headGroups(atMost: vranks)
    let isWhole = groups == job.headGroups(atMost: Limits.vranksMaximum)
    return Grid(groups: groups, shards: isWhole ? min(vranks / groups, job.queryPlaces) : 1)
  }

  /// Seven heads on four workers are 28 ranks, seven for each of them.
  static func vranks(of job: AttentionJob, workers: Int) -> Int {
    let most = job.headGroups(atMost: Limits.vranksMaximum)
    let heads = (1...most).filter { most % $0 == 0 }.map { Grid(groups: $0, shards: 1) }
    let tokens = (1...min(job.queryPlaces, Limits.vranksMaximum / most)).map {
      Grid(groups: most, shards: $0)
    }
    return Grid.best(of: heads + tokens, job: job, workers: workers)?.ranks ?? most
  }

  static func problem(of job: AttentionJob) -> String? {
    if job.grid != nil { return "a grid goes with the strategy usp, not with ulysses" }
    let (heads, most) = (job.flatKeyValueHeads, job.headGroupsMaximum)
    guard heads > 1, AttentionJob.divisor(of: heads, atMost: most) == 1 else { return nil }
    return
      "batch × key/value heads is \(heads), which can't be dealt in equal groups for ulysses; at most"
      + " \(most) groups, by virtual ranks and K/V tiles: take the strategy ring"
  }
}
