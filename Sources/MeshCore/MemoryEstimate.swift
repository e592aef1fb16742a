/// What a job takes, computed before anything is sent. An upper bound: the worker's own accounting
/// (`attnmesh worker` reports its resident size) has to stay below it.
package struct MemoryEstimate: Hashable, Sendable {
  /// Bytes the busiest worker needs at most.
  package let workerBytes: Int
  /// Bytes in the coordinator's store: inputs, output and log-sum-exp.
  package let diskBytes: Int

  init(workerBytes: Int, diskBytes: Int) {
    self.workerBytes = workerBytes
    self.diskBytes = diskBytes
  }

  /// - Parameters:
  ///   - workers: workers that share the virtual ranks of `plan`.
  ///   - isProtected: whether they keep copies of each other's states.
  package init(plan: Plan, workers: Int, isProtected: Bool = true) {
    let job = plan.job
    let hosts = Plan.hosts(vranks: plan.vrankCount, workers: workers)
    var shard = [Int](repeating: 0, count: workers)
    for vrank in plan.vranks {
      shard[hosts[vrank.index]] += Self.vrankBytes(plan: plan, vrank: vrank)
    }
    let copies = isProtected && workers > 1 ? Self.copyBytes(plan: plan, workers: workers) : 0
    workerBytes =
      (shard.max() ?? 0) + copies + Self.windowBytes(plan: plan) + Self.processBytes
    diskBytes = job.storeBytes
  }

  /// A process that hosts nothing: code, runtime libraries, sockets' buffers, thread stacks.
  static let processBytes = 96 << 20

  /// Head dimension as the packed layout rounds it.
  static func padded(_ dimension: Int) -> Int { (dimension + 15) / 16 * 16 }

  /// What one hosted virtual rank takes: its packed queries (their room is the result's in the end),
  /// O, m, l, and its K/V shard as frames.
  static func vrankBytes(plan: Plan, vrank: VRank) -> Int {
    let job = plan.job
    // A query tile is padded to whole blocks of rows.
    let rows = plan.queryTiles(of: vrank).count * Plan.queryTileRows * job.flatQueryHeads
    let state = rows * (2 * padded(job.headDimension) + 3) * 4
    let frames = plan.keyTiles(of: vrank).reduce(0) {
      $0 + plan.payloadBytes(of: .keyValue($1)) + 256 * plan.partCount(.keyValue)
    }
    return state + frames
  }

  /// Copies of others' ranks that a worker keeps: as many as one hosts itself, and one more.
  static func copies(vranks: Int, workers: Int) -> Int {
    (vranks + workers - 1) / max(1, min(workers, vranks)) + 1
  }

  /// Copies of others' ranks, one of them in two generations, and a snapshot of an own rank.
  static func copyBytes(plan: Plan, workers: Int) -> Int {
    let states = plan.vranks.map { plan.stateBytes(of: $0) + 256 * plan.messageCount(of: $0) }
    return (copies(vranks: plan.vrankCount, workers: workers) + 2) * (states.max() ?? 0)
  }

  /// Packed tiles and frames of the windows, and messages in flight: independent of the sequence.
  static func windowBytes(plan: Plan) -> Int {
    let job = plan.job
    let packed = 2 * Plan.keyTileKeys * padded(job.headDimension) * 4 * job.flatKeyValueHeads
    let frames = plan.payloadBytes(of: .keyValue(0))
    let tiles = 3 * Limits.windowTiles + 2
    // The store's credit lets the tile pass that uses it up.
    let queries = plan.payloadBytes(of: .query(0))
    let inFlight =
      2 * Limits.storeCreditBytes + 2 * max(queries, frames)
      + 2 * Limits.resultMessagesOutstanding * Limits.dataFrameBytesMaximum
    return tiles * packed + 3 * tiles * frames + inFlight
  }
}

extension Plan {
  /// The first placement: equal runs of virtual ranks, so that neighbours in the sequence stay
  /// together and the needed set of a worker is that of its whole run.
  package static func hosts(vranks: Int, workers: Int) -> [Int] {
    (0..<vranks).map { $0 * min(workers, vranks) / vranks }
  }
}
