/// Hands in results: a few messages at a time, each acknowledged, then the digest of them all.
/// Everything may be sent again: the store's writes are idempotent.
extension WorkerRun {
  mutating func sendResults(at now: Duration, into effects: inout [Worker.Effect]) {
    for index in ranks.indices {
      guard var result = ranks[index].result, result.isReady, !result.isFinal else { continue }
      let (vrank, epoch) = ranks[index].identity
      while result.sent < result.count, resultsOutstanding < Limits.resultMessagesOutstanding {
        effects.append(.sendResult(vrank, epoch, message: result.sent))
        result.sent += 1
        resultsOutstanding += 1
        result.deadline = now + resultTimeout(result)
      }
      if result.acknowledged == result.count, !result.isEndSent {
        effects.append(.sendFinal(vrank, epoch))
        result.isEndSent = true
        // The store reads and syncs a whole rank before it answers.
        result.deadline = now + Limits.resultTimeout
      }
      ranks[index].result = result
    }
  }

  mutating func receive(
    _ receipt: ResultReceipt, at now: Duration, into effects: inout [Worker.Effect]
  ) {
    guard let index = rank(of: receipt.vrank), var result = ranks[index].result, !result.isFinal,
      receipt.epoch == ranks[index].epoch
    else { return }
    guard receipt.status == .ok else {
      // The bytes changed on their way: send them again. A stale epoch ends with a release.
      // What is sent again takes along all after it, so that only the first is sent for.
      let isNext = receipt.message == result.acknowledged && receipt.message < result.sent
      let isEnd = receipt.message == -1 && result.isEndSent
      if receipt.status == .dataLoss, isNext || isEnd {
        resend(index, isRefused: true, at: now, into: &effects)
      }
      return
    }
    if receipt.message == -1, result.isEndSent {
      result.isFinal = true
      result.deadline = nil
      effects.append(.retire(receipt.vrank, receipt.epoch))
      if defect == .freeShardEarly {
        for tile in plan.keyTiles(of: receipt.vrank) where isDroppable(.keyValue(tile)) {
          drop(.keyValue(tile), into: &effects)
        }
      }
      if snapshot?.vrank == receipt.vrank { endSnapshot(into: &effects) }
    } else if receipt.message == result.acknowledged, result.acknowledged < result.sent {
      result.acknowledged += 1
      resultsOutstanding -= 1
      result.refusals = 0
      if result.repeats == 0, let heard = result.heardAt { resultTrip.add(now - heard) }
      result.repeats = 0
      result.heardAt = now
      result.deadline = now + resultTimeout(result)
    }
    ranks[index].result = result
  }

  private func resultTimeout(_ result: HostedRank.ResultProgress) -> Duration {
    resultTrip.timeout(attempts: result.repeats + 1, maximum: Limits.resultTimeout)
  }

  mutating func expireResults(at now: Duration, into effects: inout [Worker.Effect]) {
    for index in ranks.indices {
      guard let deadline = ranks[index].result?.deadline, now >= deadline else { continue }
      resend(index, isRefused: false, at: now, into: &effects)
    }
  }

  private mutating func resend(
    _ index: Int, isRefused: Bool, at now: Duration, into effects: inout [Worker.Effect]
  ) {
    guard var result = ranks[index].result else { return }
    if isRefused { result.refusals += 1 }
    guard result.refusals < Limits.refusalsMaximum else {
      effects.append(
        .send(
          .failed(
            job, ranks[index].vrank, step: ranks[index].next,
            reason: "the store refuses its result as damaged")))
      // Said again now and then: a message may be lost.
      result.deadline = now + Limits.resultTimeout
      ranks[index].result = result
      return
    }
    resultsOutstanding -= result.sent - result.acknowledged
    // A refused end means that some message is not what was sent; an unanswered one may just be slow.
    if result.isEndSent, isRefused { result.acknowledged = 0 }
    result.sent = result.acknowledged
    result.isEndSent = false
    result.repeats += 1
    result.deadline = now + resultTimeout(result)
    ranks[index].result = result
  }
}
