package import MeshCore

/// What a mesh does, between two looks at it: who hosts what, how fast, and what befell it. A value:
/// the same looks give the same picture.
package struct RingPicture: Sendable {
  /// All that is asked of a coordinator at one time.
  package struct Look: Sendable {
    /// On the clock of who looks.
    package var seconds: Double
    package var mesh: MeshStatus
    package var workers: [WorkerStatus]
    /// The job that has the workers.
    package var job: JobStatus?
    /// The last events, the newest last.
    package var events: [RecordedEvent]

    package init(
      seconds: Double, mesh: MeshStatus, workers: [WorkerStatus], job: JobStatus?,
      events: [RecordedEvent]
    ) {
      self.seconds = seconds
      self.mesh = mesh
      self.workers = workers
      self.job = job
      self.events = events
    }
  }

  /// One worker's line.
  package struct Row: Hashable, Sendable {
    package var name: String
    /// "lost" for one that isn't here.
    package var standing: String
    package var vranks: [Int]
    package var folded: Int
    package var needed: Int
    package var tilesPerSecond: Double
    package var sentBytesPerSecond: Double
    package var receivedBytesPerSecond: Double
    /// Of the time since the look before, or since the job began.
    package var computeShare: Double
    package var waitShare: Double
    package var residentBytes: Int
  }

  package let endpoint: String
  package let look: Look
  /// In the order of the ring, then those without a part.
  package let rows: [Row]
  package let tilesPerSecond: Double

  /// - Parameter before: an earlier look; without one there are no rates.
  package init(endpoint: String, _ look: Look, before: Look?) {
    self.endpoint = endpoint
    self.look = look
    let isSameJob = before?.job?.summary.job == look.job?.summary.job
    let change = Change(look, since: isSameJob ? before : nil)
    let part = look.job?.workers ?? []
    let idle = look.workers.filter { worker in !part.contains { $0.name == worker.name } }
    rows =
      part.map { change.row($0.name, part: $0) }
      .filter { $0.standing != Change.lost || !$0.vranks.isEmpty }
      + idle.map { change.row($0.name) }
    tilesPerSecond = rows.reduce(0) { $0 + $1.tilesPerSecond }
  }
}

/// What two looks at the same job differ in.
private struct Change {
  static let lost = "lost"
  let look: RingPicture.Look
  let before: RingPicture.Look?

  init(_ look: RingPicture.Look, since before: RingPicture.Look?) {
    self.look = look
    self.before = before
  }

  private var seconds: Double { before.map { look.seconds - $0.seconds } ?? 0 }

  private func rate(_ difference: Double) -> Double {
    seconds > 0 ? max(0, difference) / seconds : 0
  }

  func row(_ name: String, part: JobWorkerStatus? = nil) -> RingPicture.Row {
    let worker = look.workers.first { $0.name == name }
    let ranks = look.job?.ranks.filter { $0.worker == name } ?? []
    let folded = ranks.reduce(0) { sum, rank in
      // Under another epoch it was another host that folded.
      let earlier = before?.job?.ranks.first { $0.vrank == rank.vrank && $0.epoch == rank.epoch }
      return sum + max(0, earlier.map { rank.next - $0.next } ?? 0)
    }
    let now = part?.traffic ?? Traffic()
    let then = before?.job?.workers.first { $0.name == name }?.traffic ?? Traffic()
    let busy = max(0, now.computeSeconds - then.computeSeconds)
    let idle = max(0, now.waitSeconds - then.waitSeconds)
    let total = busy + idle
    return RingPicture.Row(
      name: name, standing: worker?.standing.name ?? Self.lost, vranks: ranks.map(\.vrank.index),
      folded: ranks.reduce(0) { $0 + $1.next }, needed: ranks.reduce(0) { $0 + $1.needed },
      tilesPerSecond: rate(Double(folded)),
      sentBytesPerSecond: before == nil ? 0 : rate(Double(now.sentBytes - then.sentBytes)),
      receivedBytesPerSecond: before == nil
        ? 0 : rate(Double(now.receivedBytes - then.receivedBytes)),
      computeShare: total > 0 ? busy / total : 0, waitShare: total > 0 ? idle / total : 0,
      residentBytes: worker?.residentBytes ?? part?.residentBytes ?? 0)
  }
}

extension Traffic {
  fileprivate var sentBytes: Int { tileBytes + inputBytes + resultBytes + copyBytes }
}
