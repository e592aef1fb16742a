/// A write to a checkpoint slot that isn't waited for any more and hasn't ended. What it will have
/// written counts as soon as it has; until then the disk is given no other one.
struct LateWrite: Sendable {
  let vrank: VRank
  let epoch: Epoch
  let slot: Int
  let next: Int
}

/// Goes on without a disk that blocks and gives no error, as a file server that went away.
extension WorkerRun {
  /// How long a disk is waited for.
  func slotPatience(of vrank: VRank) -> Duration {
    Limits.slotTimeout
      + .seconds(Double(plan.stateBytes(of: vrank)) / Double(Limits.slotRateMinimum))
  }

  /// The snapshot goes on its way to a peer's memory without the slot, and the next one can be taken.
  mutating func expireWrite(at now: Duration, into effects: inout [Worker.Effect]) {
    guard let taken = snapshot, let slot = taken.slot, let deadline = taken.slotDeadline,
      now >= deadline
    else { return }
    lateWrite = LateWrite(vrank: taken.vrank, epoch: taken.epoch, slot: slot, next: taken.next)
    snapshot?.slot = nil
    alarm(taken.vrank, "a checkpoint isn't written after", into: &effects)
    endSnapshotIfDone(into: &effects)
  }

  /// The disk has written what wasn't waited for any more.
  ///
  /// - Returns: whether it is that.
  mutating func endLateWrite(_ vrank: VRank, _ epoch: Epoch, slot: Int, next: Int) -> Bool {
    guard let late = lateWrite, late.vrank == vrank, late.epoch == epoch, late.slot == slot,
      late.next == next
    else { return false }
    lateWrite = nil
    return true
  }

  /// The rank begins again without its checkpoint.
  mutating func expireLoads(at now: Duration, into effects: inout [Worker.Effect]) {
    for index in ranks.indices {
      guard case .loading(let deadline?)? = ranks[index].restoring?.stage, now >= deadline else {
        continue
      }
      ranks[index].restoring?.stage = .idle
      let (vrank, epoch) = ranks[index].identity
      effects.append(.endLoad(vrank, epoch))
      alarm(vrank, "a checkpoint isn't read after", into: &effects)
    }
  }

  private func alarm(_ vrank: VRank, _ what: String, into effects: inout [Worker.Effect]) {
    let reason = "\(what) \(tenths(slotPatience(of: vrank))) s: the disk isn't waited for"
    effects.append(.send(.alarm(job, vrank, reason: reason)))
    effects.append(.observe(Observation(.checkpointAlarm, job: job, vrank: vrank, detail: reason)))
  }
}
