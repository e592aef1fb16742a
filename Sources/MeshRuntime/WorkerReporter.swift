internal import MeshCore

/// Keeps the counters of a worker's loop and publishes its state. Lives on the loop's thread.
final class WorkerReporter {
  private let board: StatusBoard<WorkerReport>
  private var total = Traffic()
  private var tilesFolded = 0
  private var known: (job: JobID, traffic: Traffic, next: [VRank: Int])?
  private var lag = LagMeter()
  private var publishAt = Duration.zero
  private var busySeconds = 0.0
  /// What the compute threads had done when they last got something done, and when.
  private var progress: (itemsDone: UInt64, at: Duration)?

  init(_ board: StatusBoard<WorkerReport>) { self.board = board }

  /// Counts what a job has sent; also before it is let go.
  func note(_ job: JobID, _ traffic: Traffic, _ ranks: [WorkerMessage.Progress]) {
    let before = known?.job == job ? known : nil
    total.add(traffic.growth(since: before?.traffic))
    var next: [VRank: Int] = [:]
    for rank in ranks {
      next[rank.vrank] = rank.next
      // What it went on from, somebody else has folded.
      let start = before?.next[rank.vrank] ?? rank.restored?.next ?? 0
      tilesFolded += max(0, rank.next - start)
    }
    known = (job, traffic.remembered(after: before?.traffic), next)
  }

  /// A job was let go: the counters of the next one, also if it is the same, begin anew.
  func endJob() { known = nil }

  /// - Parameter lateness: of the loop at this tick.
  func publish(_ loop: WorkerLoop, at now: Duration, lateness: Duration) {
    lag.note(lateness, at: now)
    guard now >= publishAt else { return }
    publishAt = now + Limits.publishInterval
    let ranks = loop.core.run?.progress ?? []
    if let job = loop.job { note(job.id, job.traffic, ranks) }
    let (itemsDone, isBusy) = (loop.pool.itemsDone, loop.pool.isBusy)
    if !isBusy || progress?.itemsDone != itemsDone { progress = (itemsDone, now) }
    // Read while a thread changes it, the clock of busy time may seem to go back a little.
    busySeconds = max(busySeconds, loop.pool.busySeconds)
    let hello = loop.core.hello
    board.write(
      WorkerReport(
        name: hello.name, coordinator: loop.configuration.coordinator, level: hello.level,
        threads: hello.threads, memoryBytes: hello.memoryBytes, uptimeSeconds: now.seconds,
        isWelcome: loop.core.isWelcome, job: loop.job?.id, ranks: ranks,
        heldCopies: loop.core.run?.heldCopies.count ?? 0, traffic: total,
        tilesFolded: tilesFolded, itemsDone: itemsDone, busySeconds: busySeconds, isBusy: isBusy,
        stuckSeconds: progress.map { (now - $0.at).seconds } ?? 0,
        hangSeconds: max(Limits.hangTimeout.seconds, 3 * (loop.job?.slowTileSeconds ?? 0)),
        loopLagSeconds: lag.worst.seconds))
  }
}
