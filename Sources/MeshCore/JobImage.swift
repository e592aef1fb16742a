package import Checksums

/// What the coordinator's disk knows of a job: enough to go on with it after a crash.
package struct JobImage: Sendable, Codable, Hashable {
  /// Version of this format.
  package var version = 1
  package var job: JobID
  /// Place in the order of submit.
  package var number: Int
  package var client: String
  /// The request that submitted it: a repeat is answered with this job.
  package var request: RequestID
  package var spec: AttentionJob
  package var isProtected: Bool
  /// As asked for at submit; 0 for none.
  package var deadlineSeconds: Double
  /// Since submit, when this was written.
  package var ageSeconds: Double
  /// When this was written, in seconds since 1970: deadlines go on while no coordinator runs.
  package var writtenAt: Double
  package var state: JobState
  package var reason: String
  package var workerBytes: Int
  package var inputs: InputDigests?
  package var run: Run?
  /// As earlier versions wrote them: `resultDigests` since.
  package var outputDigest: Digest?
  package var logSumExpDigest: Digest?
  /// Only the tombstone is left.
  package var isDiscarded: Bool
  // Since version 0.2; images of earlier ones lack them.
  /// What people call it.
  package var name: String?
  /// By the clock on the wall, in seconds since 1970.
  package var submittedAt: Double?
  /// What became of the result, once it isn't kept any more.
  package var lastResult: ResultStatus?
  /// Operations of a job with a block map, whose contents aren't kept longer than its inputs.
  package var flops: Double?
  /// Of each tensor of the result.
  package var resultDigests: [Digest]?

  /// The table of a job that has been given workers, and what is final of it.
  package struct Run: Sendable, Codable, Hashable {
    package var table: Assignment
    package var isFinal: [Bool]
    package var recoveries: [Recovery]
    /// Workers that took part, in order of arrival.
    package var participants: [Participant]
    /// Since the job started, when this was written.
    package var ageSeconds: Double
    /// What each participant had sent and how large it was, as far as it had told; missing in what an
    /// earlier version wrote.
    package var traffic: [Traffic]?
    package var residentBytes: [Int]?
    /// Of a job with a block map: the tiles that each rank folds, and the bytes that have to cross.
    package var needed: [Int]?
    package var neededBytes: Int?
  }

  /// A worker that took part, for people.
  package struct Participant: Sendable, Codable, Hashable {
    package var worker: WorkerID
    package var name: String
    package var processID: Int
    package var level: String
    package var threads: Int
    package var numerics: String
  }
}

/// One virtual rank that went on elsewhere after its worker was lost or relieved.
package struct Recovery: Sendable, Codable, Hashable {
  package var vrank: VRank
  /// The epoch of the new host.
  package var epoch: Epoch
  /// Who was lost or relieved, and how that was found.
  package var worker: String
  package var processID: Int
  package var cause: String
  /// Since the worker was last heard of; 0 when it was asked to hand over.
  package var detectionSeconds: Double
  /// Seconds of the job when it was found.
  package var atSeconds: Double
  /// The new host.
  package var host: String
  /// The tile that was next when it was last heard of.
  package var lostAt: Int
  /// Where the new host found the state, and at which tile it went on; nil until it says so.
  package var restored: WorkerMessage.Restored?
  /// From the finding until the new host had the state.
  package var restoreSeconds: Double?
  /// From the finding until the rank was where it had been.
  package var caughtUpSeconds: Double?

  package init(
    vrank: VRank, epoch: Epoch, worker: String, processID: Int, cause: String,
    detectionSeconds: Double, atSeconds: Double, host: String, lostAt: Int,
    restored: WorkerMessage.Restored?, restoreSeconds: Double?, caughtUpSeconds: Double?
  ) {
    self.vrank = vrank
    self.epoch = epoch
    self.worker = worker
    self.processID = processID
    self.cause = cause
    self.detectionSeconds = detectionSeconds
    self.atSeconds = atSeconds
    self.host = host
    self.lostAt = lostAt
    self.restored = restored
    self.restoreSeconds = restoreSeconds
    self.caughtUpSeconds = caughtUpSeconds
  }

  /// The cause when nobody was lost: the host stopped at a boundary and copied the rank.
  package static let handedOver = "handed over"

  /// Tiles folded for a second time; nil while it isn't known.
  package var refolded: Int? { restored.map { max(0, lostAt - $0.next) } }
}

extension JobImage {
  /// What a backup tells of a job that was running is old: others may have hosted its virtual ranks
  /// since, under epochs that nobody knows any more. It goes back into the queue, and is computed anew
  /// from its inputs.
  ///
  /// - Returns: false for a job that wasn't running.
  package mutating func beginAnew() -> Bool {
    guard state == .running || state == .finishing else { return false }
    (state, reason, run) = (.queued, "", nil)
    (outputDigest, logSumExpDigest, resultDigests) = (nil, nil, nil)
    return true
  }
}
