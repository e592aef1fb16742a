internal import CheckpointFiles
internal import Checksums
internal import FoldEngine
internal import MeshCore
internal import Synchronization

/// The checkpoints of one job as one worker writes and reads them, on its disk thread.
final class CheckpointWriter: Sendable {
  private let directory: CheckpointDirectory
  private let job: JobID
  private let planHash: Digest
  private let plan: Plan
  private let numerics: String
  private struct OwnFile {
    let file: CheckpointFile
    /// Files of earlier hosts may be there, and are of more use than nothing until this one has a
    /// state.
    var mayHaveOlder = true
  }

  /// The file of each rank that is hosted here, made when it is first written.
  private let files = Mutex<[VRank: OwnFile]>([:])

  init(_ directory: CheckpointDirectory, job: WorkerJob, numerics: String) {
    self.directory = directory
    self.job = job.id
    planHash = job.assignment.planHash
    plan = job.plan
    self.numerics = numerics
  }

  private func identity(_ vrank: VRank) -> CheckpointIdentity {
    CheckpointIdentity(
      job: job, planHash: planHash, numerics: numerics, vrank: vrank,
      partBytes: (0..<plan.messageCount(of: vrank)).map { message in
        let (tile, part) = plan.stateMessage(of: vrank, message)
        return plan.stateBytes(queryTile: tile, part: part)
      })
  }

  /// Writes messages `first...` of a snapshot to a slot; durable when it returns. After a failure the
  /// file is given up, and the next write makes another.
  func write(
    _ snapshot: StateSnapshot, slot: Int, next: Int, first: Int
  ) throws(CheckpointError) {
    Failpoint.pass("write-slot")
    do throws(CheckpointError) {
      let file = try file(snapshot.vrank, snapshot.epoch)
      try file.write(
        slot: slot == 0 ? .a : .b, next: next, generation: UInt64(next), first: first
      ) { snapshot.payload(of: $0) }
    } catch {
      files.withLock { $0[snapshot.vrank] = nil }
      throw error
    }
    Failpoint.pass("slot-written")
  }

  /// Removes what earlier hosts left of a rank that was written: it is of no more use.
  ///
  /// - Throws: once. What can't be removed harms nobody, and goes with the job.
  func removeOlder(_ vrank: VRank) throws(CheckpointError) {
    let epoch = files.withLock { files -> Epoch? in
      guard let own = files[vrank], own.mayHaveOlder else { return nil }
      files[vrank]?.mayHaveOlder = false
      return own.file.epoch
    }
    guard let epoch else { return }
    try directory.remove(job: job, vrank: vrank, olderThan: epoch)
  }

  private func file(_ vrank: VRank, _ epoch: Epoch) throws(CheckpointError) -> CheckpointFile {
    if let known = files.withLock({ $0[vrank]?.file }), known.epoch == epoch { return known }
    let file = try directory.create(identity(vrank), epoch: epoch)
    files.withLock { $0[vrank] = OwnFile(file: file) }
    return file
  }

  /// Loads the best checkpoint of a rank into its state.
  ///
  /// - Parameters:
  ///   - gate: where every write to the state has to pass.
  ///   - reject: told of each checkpoint that can't be used, and why.
  /// - Returns: nil when there is none, or when the gate was closed.
  func read(
    into state: RankState, through gate: LoadGate, reject: (String) -> Void
  ) -> WorkerMessage.Restored? {
    let found: StoredCheckpoints
    do throws(CheckpointError) {
      found = try directory.candidates(identity(state.vrank))
    } catch {
      reject("\(error)")
      return nil
    }
    let damaged = found.rejected.filter { $0.fault != .unwritten }
    for slot in damaged { reject("\(slot)") }
    var isFirst = damaged.isEmpty
    for slot in found.slots {
      do throws(CheckpointError) {
        guard try load(slot, into: state, through: gate) else { return nil }
        return WorkerMessage.Restored(tier: isFirst ? .slot : .otherSlot, next: slot.next)
      } catch {
        reject("\(slot.location): \(error)")
        isFirst = false
      }
    }
    return nil
  }

  /// - Returns: whether the gate was open all the time.
  private func load(
    _ slot: StoredSlot, into state: RankState, through gate: LoadGate
  ) throws(CheckpointError) -> Bool {
    let buffer = UnsafeMutableRawBufferPointer.allocate(
      byteCount: Limits.payloadBytesMaximum, alignment: 64)
    defer { buffer.deallocate() }
    for message in 0..<state.messageCount {
      let (tile, _) = plan.stateMessage(of: state.vrank, message)
      guard plan.isCurrent(queryTile: tile, madeAt: slot.partNext[message], in: slot.next) else {
        throw .corrupt("message \(message) is of another state")
      }
      let payload = UnsafeMutableRawBufferPointer(
        rebasing: buffer[..<state.byteCount(message)])
      try slot.read(part: message, into: payload)
      guard gate.pass({ state.write(message, from: UnsafeRawBufferPointer(payload)) }) else {
        return false
      }
    }
    return true
  }

  /// The result of a rank is final: its checkpoints are of no more use.
  func remove(_ vrank: VRank) {
    files.withLock { $0[vrank] = nil }
    try? directory.remove(
      job: job, vrank: vrank, olderThan: Epoch(term: .max, counter: .max))
  }

  /// The job is over.
  func removeAll() {
    files.withLock { $0 = [:] }
    try? directory.remove(job: job)
  }
}
