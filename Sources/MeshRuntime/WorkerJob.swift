internal import AttentionKernels
internal import FoldEngine
internal import MeshCore
internal import MeshWire
internal import ZeroMQ

/// What a worker's loop holds for its present job: connections, frames, engine, results.
final class WorkerJob {
  let assignment: Assignment
  let plan: Plan
  let planTag: UInt64
  let me: Int
  let engine: FoldEngine
  let startedAt = MonotonicClock.now
  var shelf = TileShelf()
  var links: [Worker.Source: PullLink] = [:]
  var results: [VRank: RankResult] = [:]
  var traffic = Traffic()
  /// Busy time of the compute threads when the job began, and when its last fold ended.
  let busyAtStart: Double
  var lastFoldAt: Duration?
  var busyAtLastFold: Double

  init(_ assignment: Assignment, worker: WorkerID, kernel: AttentionKernel, busySeconds: Double) {
    self.assignment = assignment
    plan = Plan(job: assignment.spec, vrankCount: assignment.vrankCount)
    planTag = assignment.planHash.tag
    me = assignment.peers.firstIndex { $0.worker == worker } ?? 0
    engine = FoldEngine(plan: plan, kernel: kernel)
    busyAtStart = busySeconds
    busyAtLastFold = busySeconds
  }

  var id: JobID { assignment.job }

  func epoch(of vrank: VRank) -> Epoch { assignment.hosts[vrank.index].epoch }

  /// Where a source serves tiles.
  func endpoint(of source: Worker.Source, store: String) -> String {
    switch source {
    case .store: store
    case .peer(let peer): assignment.peers[peer].endpoint
    }
  }

  /// Whether a frame is the part it says it is, of this job's plan, with the checksum that the input
  /// store gave it.
  func accepts(_ frame: StoredFrame, _ header: PartHeader) -> Bool {
    guard (0..<plan.tileCount(header.tile.tensor)).contains(header.tile.index),
      (0..<plan.partCount(header.tile.tensor)).contains(header.part)
    else { return false }
    return frame.withUnsafeBytes { bytes in
      guard let part = try? PayloadFrame<TilePart>(decoding: bytes),
        part.message.header == header,
        part.message.heads == plan.heads(header.tile.tensor, part: header.part),
        part.message.tokens == plan.tokens(of: header.tile),
        part.message.headDimension == plan.job.headDimension,
        part.message.element == plan.job.element
      else { return false }
      return (try? part.verify(in: bytes)) != nil
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
