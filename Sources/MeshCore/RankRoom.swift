/// How many ranks of a job a worker has the memory for, whichever they are: at least the share that was
/// counted when the job was given to it.
struct RankRoom {
  private let plan: Plan
  private let share: Int
  /// Of the largest rank: its state, and the K/V tiles of its shard.
  private let stateBytes: Int
  private let shardTiles: Int
  private let copyBytes: Int

  /// - Parameter workers: that share the job's ranks.
  init(plan: Plan, workers: Int, isProtected: Bool) {
    self.plan = plan
    share = MemoryEstimate.ranks(vranks: plan.vrankCount, workers: workers)
    stateBytes =
      plan.vranks.map { MemoryEstimate.vrankBytes(plan: plan, vrank: $0) }.max() ?? 0
    shardTiles = plan.vranks.map { plan.keyTiles(of: $0).count }.max() ?? 0
    copyBytes = isProtected ? MemoryEstimate.copyBytes(plan: plan, workers: max(1, workers)) : 0
  }

  func ranks(for hello: WorkerMessage.Hello) -> Int {
    var (fitting, tooMany) = (share, plan.vrankCount + 1)
    // Most have room for all.
    if bytes(plan.vrankCount, hello.threads) <= hello.memoryBytes { return plan.vrankCount }
    while tooMany - fitting > 1 {
      let middle = (fitting + tooMany) / 2
      if bytes(middle, hello.threads) <= hello.memoryBytes {
        fitting = middle
      } else {
        tooMany = middle
      }
    }
    return fitting
  }

  private func bytes(_ ranks: Int, _ threads: Int) -> Int {
    let kept = MemoryEstimate.mostKept(plan, hosted: ranks)
    return ranks * stateBytes
      + MemoryEstimate.frameBytes(plan: plan, shard: ranks * shardTiles, kept: kept) + copyBytes
      + MemoryEstimate.windowBytes(plan: plan, kept: kept)
      + threads * MemoryEstimate.threadBytes(plan: plan) + MemoryEstimate.processBytes
  }
}
