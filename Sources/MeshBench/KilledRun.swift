internal import Glibc
internal import MeshCore
internal import MeshRuntime

/// What was seen of a job from outside: copies that were made, and ranks that went back.
struct JobFollower {
  private var ranks: [RankStatus] = []
  /// Whole copies in another worker's memory, of each virtual rank: at least so many, since two may
  /// be made between two looks.
  private(set) var copies: [Int] = []
  /// Tiles that each virtual rank went back by under one epoch. One that changed hands does that when
  /// its state is found.
  private(set) var lostTiles: [Int] = []

  mutating func note(_ status: JobStatus) {
    if copies.isEmpty {
      copies = status.ranks.map { _ in 0 }
      lostTiles = copies
    }
    for (before, after) in zip(ranks, status.ranks) where before.epoch == after.epoch {
      if after.copied > before.copied { copies[after.vrank.index] += 1 }
      lostTiles[after.vrank.index] += max(0, before.next - after.next)
    }
    ranks = status.ranks
  }
}

/// Kills one worker of a job when so much of it is done.
struct Kill {
  let share: Double
  /// Which of the workers that have something to lose.
  let choice: UInt64
  private(set) var follower = JobFollower()
  /// Who was killed, and the job's time then.
  private(set) var victim: (worker: String, seconds: Double)?

  init(share: Double, choice: UInt64) {
    self.share = share
    self.choice = choice
  }

  mutating func follow(_ status: JobStatus, _ mesh: LocalMesh) {
    follower.note(status)
    let job = status.summary
    guard victim == nil, Double(job.folded) >= share * Double(job.total), job.total > 0 else {
      return
    }
    let hosts = Set(status.ranks.filter { !$0.isFinal && $0.next < $0.needed }.map(\.worker))
    let running = mesh.processes.filter { hosts.contains($0.key) }.sorted { $0.key < $1.key }
    guard !running.isEmpty else { return }
    let (name, process) = running[Int(choice % UInt64(running.count))]
    kill(process, SIGKILL)
    victim = (name, job.wallSeconds)
  }
}

/// One run in which a worker was killed.
package struct KilledRun: Encodable, Sendable {
  package let worker: String
  /// Of the job, as the coordinator had it just before.
  package let killedAtSeconds: Double
  package let wallSeconds: Double
  package let ranks: [LostRank]
  /// Tiles that were folded again of ranks that weren't lost.
  package let refoldedElsewhere: Int

  /// A virtual rank of the worker that was killed.
  package struct LostRank: Encodable, Sendable {
    package let vrank: Int
    package let needed: Int
    package let refolded: Int
    /// The most tiles that may lie between two copies.
    package let intervalTiles: Int
    package let tier: String
    package let host: String
    package let restoreSeconds: Double?
    package let caughtUpSeconds: Double?
  }

  init(_ kill: Kill, _ outcome: MeshTrial.Outcome) {
    worker = kill.victim?.worker ?? ""
    killedAtSeconds = kill.victim?.seconds ?? 0
    wallSeconds = outcome.report.wallSeconds
    let recoveries = outcome.status.recoveries
    let victim = worker
    ranks = recoveries.filter { $0.worker == victim }.map { recovery in
      let needed = outcome.status.ranks[recovery.vrank.index].needed
      return LostRank(
        vrank: recovery.vrank.index, needed: needed, refolded: recovery.refolded ?? needed,
        intervalTiles: max(1, needed / Limits.copiesOfARankMinimum),
        tier: recovery.restored?.tier.name ?? "", host: recovery.host,
        restoreSeconds: recovery.restoreSeconds, caughtUpSeconds: recovery.caughtUpSeconds)
    }
    let moved = Set(recoveries.map(\.vrank.index))
    refoldedElsewhere =
      kill.follower.lostTiles.enumerated().filter { !moved.contains($0.offset) }
      .reduce(0) { $0 + $1.element }
      + recoveries.filter { $0.worker != victim }.reduce(0) { $0 + ($1.refolded ?? 0) }
  }
}
