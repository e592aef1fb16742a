internal import AttentionKernels
internal import FoldEngine
internal import MeshCore
internal import MeshWire
internal import ZeroMQ

/// What a worker's loop holds for its present job: connections, frames, engine, results.
final class WorkerJob {
  private(set) var assignment: Assignment
  let plan: Plan
  let planTag: UInt64
  let engine: any RankEngine
  let startedAt = MonotonicClock.now
  var shelf = TileShelf()
  var copies = CopyShelf()
  var snapshot: StateSnapshot?
  /// Memory of the last snapshot, to be used again.
  var spareMemory: SnapshotMemory?
  /// What checkpoints of the job have to be, and where they are written; nil without a directory.
  var checkpoints: CheckpointWriter?
  /// Of checkpoints that are being read, the last one of each rank.
  var loads: [VRank: LoadGate] = [:]
  var links: [Worker.Source: PullLink] = [:]
  var results: [VRank: RankResult] = [:]
  var traffic = Traffic()
  /// Busy time of the compute threads when the job began, and when its last fold ended.
  let busyAtStart: Double
  var foldTimes = FoldTimes()
  var lastFoldAt: Duration?
  var busyAtLastFold: Double

  init(
    _ assignment: Assignment, plan: Plan, worker: WorkerID, kernel: AttentionKernel,
    busySeconds: Double
  ) {
    self.assignment = assignment
    self.plan = plan
    planTag = assignment.planHash.tag
    engine =
      plan.job.isBackward
      ? BackwardEngine(plan: plan, kernel: kernel)
      : FoldEngine(plan: plan, kernel: kernel, packsAhead: TileWindow(plan: plan).packsAhead)
    busyAtStart = busySeconds
    busyAtLastFold = busySeconds
  }

  var id: JobID { assignment.job }

  func adopt(_ table: Assignment) { assignment = table }

  /// The memory of the last snapshot, once nothing else needs it.
  func takeSpareMemory() -> SnapshotMemory? {
    defer { spareMemory = nil }
    return isKnownUniquelyReferenced(&spareMemory) ? spareMemory : nil
  }

  /// Seconds that a fold of one tile takes, 95 of 100 no more.
  var slowTileSeconds: Double { foldTimes.slow }

  /// Where a source serves tiles; nil for a peer that is no longer one.
  func endpoint(of source: Worker.Source, store: String) -> String? {
    switch source {
    case .store: store
    case .peer(let worker): assignment.peers.first { $0.worker == worker }?.endpoint
    }
  }

  /// Whether a frame is the part it says it is, of this job's plan, with the checksum that the input
  /// store gave it.
  func accepts(_ frame: StoredFrame, _ header: PartHeader) -> Bool {
    guard (0..<plan.tileCount(header.tile.tensor)).contains(header.tile.index),
      (0..<plan.partCount(header.tile.tensor)).contains(header.part)
    else { return false }
    return frame.withUnsafeBytes { bytes in
      guard let part = try? PayloadFrame<TilePart>(decoding: bytes) else { return false }
      var expected = plan.message(
        of: header.tile, part: header.part, job: id, planTag: planTag)
      expected.checksum = part.message.checksum
      guard part.message == expected else { return false }
      return (try? part.verify(in: bytes)) != nil
    }
  }

  /// Whether a frame is the message of a copy that it says it is, whole and as its sender made it.
  func accepts(_ frame: StoredFrame, _ header: CopyHeader) -> Bool {
    guard header.job == id, header.planTag == planTag, plan.vranks.contains(header.vrank) else {
      return false
    }
    if let tile = header.tile {
      return accepts(
        frame, PartHeader(job: id, planTag: planTag, tile: tile, part: header.part))
    }
    guard (0..<plan.messageCount(of: header.vrank)).contains(header.message) else { return false }
    let (tile, part) = plan.stateMessage(of: header.vrank, header.message)
    return frame.withUnsafeBytes { bytes in
      guard let found = try? PayloadFrame<SoftmaxState>(decoding: bytes) else { return false }
      let state = found.message
      guard state.job == id, state.planTag == planTag, state.vrank == header.vrank,
        state.tile == .query(tile), state.part == part, state.kind == plan.stateKind,
        state.heads == plan.resultHeads(queryTile: tile, part: part),
        state.rows == plan.queryRows(of: tile),
        state.headDimension == plan.job.headDimension,
        plan.isCurrent(queryTile: tile, madeAt: state.next, in: header.next)
      else { return false }
      return (try? found.verify(in: bytes)) != nil
    }
  }

  /// Notes that a fold ended: compute and wait are counted up to the last one.
  func folded(busySeconds: Double) {
    let now = MonotonicClock.now
    lastFoldAt = now
    busyAtLastFold = busySeconds
    traffic.computeSeconds = busyAtLastFold - busyAtStart
    traffic.waitSeconds = max(0, (now - startedAt).seconds - traffic.computeSeconds)
  }
}
