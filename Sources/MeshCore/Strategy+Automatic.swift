internal import AttentionMasks

/// Shares are all heads of some tokens; groups of heads of them where there are fewer query tiles than
/// ranks.
enum AutomaticGrid: GridRule {
  static func headCuts(of job: AttentionJob, blocks: BlockMap?) -> Int {
    job.suitableHeadCuts(blocks: blocks)
  }

  static func grid(of job: AttentionJob, atMost vranks: Int) -> Grid {
    let shards = min(vranks, job.queryPlaces)
    return Grid(groups: job.headGroups(atMost: vranks / shards), shards: shards)
  }
}
