internal import AttentionMasks
internal import Checksums

/// Asks the store for bytes of a job's block map: from a byte on, as many as a message holds.
package struct BlocksPull: Hashable, Sendable {
  package var job: JobID
  package var offset: Int

  package init(job: JobID, offset: Int) {
    self.job = job
    self.offset = offset
  }
}

/// Brings a job's block map to a worker that was told to take part: nothing is known of what there is to
/// fold, fetch or serve before it is here. One message is asked for at a time, again when none comes.
package struct BlocksFetch: Sendable {
  /// The newest table of the job, with which the run begins.
  package private(set) var assignment: Assignment
  private var bytes: [UInt8] = []
  private var askedAt: Duration?
  /// How often all of it came and wasn't what it should be.
  private var refusals = 0

  /// What became of it.
  enum Outcome {
    case waiting
    case done(BlockMap)
    case failed(String)
  }

  init(_ assignment: Assignment) { self.assignment = assignment }

  var job: JobID { assignment.job }

  /// What is to be asked for now; nil while an answer may be on its way.
  mutating func pull(at now: Duration) -> BlocksPull? {
    if let askedAt, now - askedAt < Limits.blocksTimeout { return nil }
    askedAt = now
    return BlocksPull(job: job, offset: bytes.count)
  }

  /// Whether a message is the one that is waited for.
  package func takes(_ pull: BlocksPull) -> Bool { pull.job == job && pull.offset == bytes.count }

  /// Takes the next bytes.
  mutating func take(_ more: [UInt8]) -> Outcome {
    let total = assignment.spec.byteCount(.blockMap)
    askedAt = nil
    guard !more.isEmpty, more.count <= total - bytes.count else { return .waiting }
    if bytes.isEmpty { bytes.reserveCapacity(total) }
    bytes += more
    guard bytes.count == total else { return .waiting }
    if SHA256.hash(bytes) == assignment.inputs.blockMap,
      let map = assignment.spec.blockMap(of: bytes)
    {
      return .done(map)
    }
    bytes = []
    refusals += 1
    return refusals < Limits.refusalsMaximum
      ? .waiting : .failed("the store's block map isn't the one that was sealed")
  }

  /// The connection to the store broke: what was asked for doesn't come. It is asked again by and by.
  mutating func lost() { askedAt = nil }

  /// A newer table of the job.
  mutating func adopt(_ table: Assignment) { assignment = table }
}

/// A worker that waits for the block map of a job.
extension Worker {
  /// Asks for what is missing, if it is time.
  mutating func proceedFetch(at now: Duration, into effects: inout Effects) {
    if let pull = fetch?.pull(at: now) { effects.append(.pullBlocks(pull)) }
  }

  mutating func receive(
    _ pull: BlocksPull, _ bytes: [UInt8], at now: Duration, into effects: inout Effects
  ) {
    guard let table = fetch?.assignment, fetch?.takes(pull) == true else { return }
    switch fetch?.take(bytes) {
    case .done(let map):
      fetch = nil
      begin(table, blocks: map, into: &effects)
    case .failed(let reason):
      guard let peer = table.peer(of: hello.worker),
        let vrank = table.hosts.firstIndex(where: { $0.peer == peer })
      else { return release(into: &effects) }
      effects.append(.send(.failed(table.job, VRank(vrank), step: 0, reason: reason)))
      release(into: &effects)
    case .waiting, nil: proceedFetch(at: now, into: &effects)
    }
  }
}
