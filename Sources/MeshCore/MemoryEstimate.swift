/// What a job takes, computed before anything is sent. An upper bound: the worker's own accounting
/// (`attnmesh worker` reports its resident size) has to stay below it.
package struct MemoryEstimate: Hashable, Sendable {
  /// Bytes the busiest worker needs at most.
  package let workerBytes: Int
  /// Bytes in the coordinator's store: inputs, output and log-sum-exp.
  package let diskBytes: Int
  /// Compute threads that a worker was taken to have, and what each of them adds.
  private let threads: Int
  private let threadBytes: Int

  /// What is known of a job whose workers aren't.
  init(workerBytes: Int, diskBytes: Int) {
    self.workerBytes = workerBytes
    self.diskBytes = diskBytes
    (threads, threadBytes) = (0, 0)
  }

  /// - Parameters:
  ///   - workers: workers that share the virtual ranks of `plan`.
  ///   - isProtected: whether they keep copies of each other's states.
  ///   - threads: of the worker that has most of them.
  package init(
    plan: Plan, workers: Int, isProtected: Bool = true, threads: Int = Self.threadsUnknown
  ) {
    let hosts = Plan.hosts(vranks: plan.vrankCount, workers: workers)
    var states = [Int](repeating: 0, count: workers)
    var shards = [Int](repeating: 0, count: workers)
    let most = Self.mostKept(
      plan, hosted: Self.ranks(vranks: plan.vrankCount, workers: workers))
    for vrank in plan.vranks {
      states[hosts[vrank.index]] += Self.vrankBytes(plan: plan, vrank: vrank)
      shards[hosts[vrank.index]] += plan.keyTiles(of: vrank).count
    }
    let own = (0..<workers).map {
      states[$0] + Self.frameBytes(plan: plan, shard: shards[$0], kept: most)
    }
    let copies = isProtected && workers > 1 ? Self.copyBytes(plan: plan, workers: workers) : 0
    self.threads = threads
    threadBytes = Self.threadBytes(plan: plan)
    workerBytes =
      (own.max() ?? 0) + copies + Self.windowBytes(plan: plan, kept: most)
      + threads * threadBytes + Self.mapBytes(plan.job) + Self.processBytes
    diskBytes = plan.job.storeBytes
  }

  /// What a worker with so many compute threads needs at most.
  package func workerBytes(threads: Int) -> Int {
    workerBytes + (threads - self.threads) * threadBytes
  }

  /// Whether a worker with so much memory and so many compute threads can take part.
  package func fits(memoryBytes: Int, threads: Int) -> Bool {
    memoryBytes >= workerBytes(threads: threads)
  }

  func fits(_ hello: WorkerMessage.Hello) -> Bool {
    fits(memoryBytes: hello.memoryBytes, threads: hello.threads)
  }

  /// A process that hosts nothing: code, runtime libraries, sockets' buffers, thread stacks.
  static let processBytes = 96 << 20

  /// A block map and what any of its heads sees, and both again of some heads or while it comes.
  package static func mapBytes(_ job: AttentionJob) -> Int { 4 * job.byteCount(.blockMap) }

  /// Head dimension as the packed layout rounds it.
  static func padded(_ dimension: Int) -> Int { (dimension + 15) / 16 * 16 }

  /// What one hosted virtual rank takes: its packed queries (their room is the result's in the end),
  /// O, m, l.
  static func vrankBytes(plan: Plan, vrank: VRank) -> Int {
    let job = plan.job
    let rows = plan.queryTiles(of: vrank).count * plan.queryTileRoom * plan.headCount(.query)
    if job.isBackward { return backwardBytes(plan: plan, vrank: vrank, rows: rows) }
    return rows * (2 * padded(job.headDimension) + 3) * 4
  }

  /// Likewise Q, dO and their statistics (their room is the result's in the end), dQ, and what it published: the
  /// dK and dV that it keeps, and accumulators that wait to be passed on or are being made.
  private static func backwardBytes(plan: Plan, vrank: VRank, rows: Int) -> Int {
    rows * (3 * padded(plan.job.headDimension) + 2) * 4 + publishedBytes(plan: plan, vrank: vrank)
      + Limits.foldsOutstanding * Limits.tilesPerFold * plan.payloadBytes(of: .gradient(0))
  }

  /// What a rank of a job of gradients has published at a time, as frames.
  private static func publishedBytes(plan: Plan, vrank: VRank) -> Int {
    let kept = plan.steps(of: vrank).kept.count
    return (kept + Limits.outboxTiles)
      * (plan.payloadBytes(of: .gradient(0)) + 256 * plan.partCount(.gradient))
  }

  /// K/V tiles as frames: a shard and the foreign tiles of the windows, of which there are no more
  /// than the job has.
  static func frameBytes(plan: Plan, shard: Int, kept: Int) -> Int {
    let tiles = min(plan.keyTileCount, shard + kept)
    let travelling =
      plan.job.isBackward
      ? kept * (plan.payloadBytes(of: .gradient(0)) + 256 * plan.partCount(.gradient)) : 0
    return tiles * (plan.payloadBytes(of: .keyValue(0)) + 256 * plan.partCount(.keyValue))
      + travelling
  }

  /// Foreign tiles, or packed ones, that a worker has at the most.
  static func mostKept(_ plan: Plan, hosted: Int) -> Int {
    min(plan.keyTileCount, TileWindow(plan: plan).most(hosted: hosted))
  }

  /// Ranks that one of so many workers hosts at the most, while none is lost.
  static func ranks(vranks: Int, workers: Int) -> Int {
    (vranks + workers - 1) / max(1, min(workers, vranks))
  }

  /// Copies of others' ranks that a worker keeps: as many as one hosts itself, and one more.
  static func copies(vranks: Int, workers: Int) -> Int {
    ranks(vranks: vranks, workers: workers) + 1
  }

  /// Copies of others' ranks, one of them in two generations, and a snapshot of an own rank.
  static func copyBytes(plan: Plan, workers: Int) -> Int {
    let states = plan.vranks.map { vrank in
      plan.stateBytes(of: vrank) + 256 * plan.messageCount(of: vrank)
        + (plan.job.isBackward ? publishedBytes(plan: plan, vrank: vrank) : 0)
    }
    return (copies(vranks: plan.vrankCount, workers: workers) + 2) * (states.max() ?? 0)
  }

  /// What a worker takes that hosts nothing and keeps copies of others' ranks.
  static func holderBytes(plan: Plan, workers: Int) -> Int {
    processBytes + copyBytes(plan: plan, workers: workers)
  }

  /// Compute threads of a worker that isn't known yet.
  package static let threadsUnknown = 64

  /// What each compute thread takes to pack heads of tiles that are too large to be packed ahead, or are packed
  /// by every step, beside dK and dV.
  static func threadBytes(plan: Plan) -> Int {
    if plan.job.isBackward { return 4 * plan.packedHeadBytes }
    return TileWindow(plan: plan).packsAhead ? 0 : Limits.tilesPerFold * plan.packedHeadBytes
  }

  /// Packed tiles of the windows, and messages in flight: independent of the sequence.
  static func windowBytes(plan: Plan, kept: Int) -> Int {
    let packed = TileWindow(plan: plan).packsAhead ? kept * plan.packedTileBytes : 0
    // Of each tile of a window what one pull brings may wait in the sockets of both sides.
    let pull = min(plan.payloadBytes(of: .keyValue(0)), Limits.pullBytesMaximum)
    // The store's credit lets the tile pass that uses it up; rows are packed when a tile is whole. Those
    // that wait for it take no more than the room that they will have, which is untouched until then.
    let inFlight =
      2 * kept * pull + 2 * Limits.storeCreditBytes
      + 2 * plan.payloadBytes(of: .query(0))
      + 2 * Limits.resultMessagesOutstanding * Limits.dataFrameBytesMaximum
    return packed + inFlight
  }
}

extension Plan {
  /// The first placement: equal runs of virtual ranks, so that neighbours in the sequence stay
  /// together and the needed set of a worker is that of its whole run.
  package static func hosts(vranks: Int, workers: Int) -> [Int] {
    (0..<vranks).map { host(of: $0, vranks: vranks, workers: workers) }
  }

  /// Of one virtual rank of them.
  static func host(of vrank: Int, vranks: Int, workers: Int) -> Int {
    vrank * min(workers, vranks) / vranks
  }
}
