internal import AttentionMasks

/// Shares are all heads of some tokens.
enum RingGrid: GridRule {
  static func headCuts(of job: AttentionJob, blocks: BlockMap?) -> Int { 1 }

  static func grid(of job: AttentionJob, atMost vranks: Int) -> Grid {
    Grid(groups: 1, shards: min(vranks, job.queryPlaces))
  }
}
