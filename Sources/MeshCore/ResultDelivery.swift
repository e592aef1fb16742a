/// A finished rank's result on its way to the store: a few messages at a time, each acknowledged, then the
/// digest of them all. Everything may be sent again: the store's writes are idempotent.
struct ResultDelivery: Sendable {
  private let vrank: VRank
  private let epoch: Epoch
  /// Messages, not counting the end.
  private let count: Int
  private var isReady = false
  private var sent = 0
  private var acknowledged = 0
  private var isEndSent = false
  private(set) var isFinal = false
  private var deadline: Duration?
  /// When the last message was acknowledged.
  private var heardAt: Duration?
  /// Times in a row that nothing was acknowledged in time.
  private var repeats = 0
  private var refusals = 0

  /// Of all results of a worker.
  struct Credit: Sendable {
    fileprivate var outstanding = 0
    /// What answers to messages take.
    fileprivate var trip = RoundTrip()
  }

  init(of rank: HostedRank, _ plan: Plan) {
    vrank = rank.vrank
    epoch = rank.epoch
    count = plan.resultMessageCount(of: rank.vrank)
  }

  /// The compute threads have normalised and digested it.
  mutating func ready() { isReady = true }

  /// What was sent won't be answered, or is of no use: the rank is another's, or final without a receipt.
  func end(_ credit: inout Credit) { credit.outstanding -= sent - acknowledged }

  mutating func send(_ credit: inout Credit, at now: Duration, into effects: inout Effects) {
    guard isReady, !isFinal else { return }
    while sent < count, credit.outstanding < Limits.resultMessagesOutstanding {
      effects.append(.sendResult(vrank, epoch, message: sent))
      sent += 1
      credit.outstanding += 1
      deadline = now + timeout(credit)
    }
    if acknowledged == count, !isEndSent {
      effects.append(.sendFinal(vrank, epoch))
      isEndSent = true
      // The store reads and syncs a whole rank before it answers.
      deadline = now + Limits.resultTimeout
    }
  }

  private func timeout(_ credit: Credit) -> Duration {
    credit.trip.timeout(attempts: repeats + 1, maximum: Limits.resultTimeout)
  }

  /// - Returns: whether the result is final now.
  mutating func receive(
    _ receipt: ResultReceipt, _ credit: inout Credit, at now: Duration, step: Int,
    into effects: inout Effects
  ) -> Bool {
    guard !isFinal, receipt.epoch == epoch else { return false }
    guard receipt.status == .ok else {
      // The bytes changed on their way: send them again. A stale epoch ends with a release.
      // What is sent again takes along all after it, so that only the first is sent for.
      let isNext = receipt.message == acknowledged && receipt.message < sent
      let isEnd = receipt.message == -1 && isEndSent
      if receipt.status == .dataLoss, isNext || isEnd {
        refusals += 1
        resend(&credit, isRefused: true, at: now, step: step, into: &effects)
      }
      return false
    }
    if receipt.message == -1, isEndSent {
      isFinal = true
      deadline = nil
    } else if receipt.message == acknowledged, acknowledged < sent {
      acknowledged += 1
      credit.outstanding -= 1
      refusals = 0
      if repeats == 0, let heardAt { credit.trip.add(now - heardAt) }
      repeats = 0
      heardAt = now
      deadline = now + timeout(credit)
    }
    return isFinal
  }

  /// - Parameter step: that the rank is at, for whoever looks for what failed.
  mutating func expire(
    _ credit: inout Credit, at now: Duration, step: Int, into effects: inout Effects
  ) {
    guard let deadline, now >= deadline else { return }
    resend(&credit, isRefused: false, at: now, step: step, into: &effects)
  }

  private mutating func resend(
    _ credit: inout Credit, isRefused: Bool, at now: Duration, step: Int,
    into effects: inout Effects
  ) {
    guard refusals < Limits.refusalsMaximum else {
      effects.fail(vrank, step: step, "the store refuses its result as damaged")
      // Said again now and then: a message may be lost.
      deadline = now + Limits.resultTimeout
      return
    }
    credit.outstanding -= sent - acknowledged
    // A refused end means that some message is not what was sent; an unanswered one may just be slow.
    if isEndSent, isRefused { acknowledged = 0 }
    sent = acknowledged
    isEndSent = false
    repeats += 1
    deadline = now + timeout(credit)
  }
}
