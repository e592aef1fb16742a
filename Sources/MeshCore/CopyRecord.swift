/// What is copied of a rank, and where.
struct CopyRecord: Sendable {
  /// In whose memory its copies are kept.
  private(set) var holder: WorkerID?
  /// `next` of the whole copy in the holder's memory; 0 for none.
  private(set) var copied = 0
  /// `next` of what was last written to each checkpoint slot; 0 for nothing.
  private var slots = [0, 0]
  /// `next` of the last snapshot.
  private(set) var lastSnapshot = 0
  /// Where the last snapshot was due: those that come late don't make the next ones late.
  private(set) var lastDue = 0
  /// The copy has to be made anew without waiting for the interval: its holder changed.
  private(set) var isDue = false
  /// Somebody keeps what these steps read until a copy has passed them: the fewest that anybody waits for,
  /// who waits for more asks again.
  private var dueSteps = 0
  /// There is no connection to the holder.
  private(set) var isUnreachable: Bool
  /// The holder took nothing of the last copy.
  private(set) var isGivenUp = false
  /// Times in a row that the connection to the holder broke before it had a copy.
  private var breaks = 0
  /// Nothing is sent to the holder before this.
  private var holderRetryAt: Duration?
  /// The disk failed: not before this.
  private var slotRetryAt: Duration?
  /// The job asked for no protection.
  private let isUnprotected: Bool

  init(holder: WorkerID?, isReachable: Bool, isProtected: Bool) {
    self.holder = holder
    isUnreachable = !isReachable
    isUnprotected = !isProtected
  }

  /// `next` of the best checkpoint.
  var durable: Int { max(slots[0], slots[1]) }
  /// Steps done in the best copy.
  private var best: Int { max(copied, durable) }

  /// The rank goes on from a state that was found, perhaps in its holder's memory.
  mutating func begin(at next: Int, isHeld: Bool) {
    if isHeld { copied = next }
    lastSnapshot = next
    lastDue = next
    isDue = next > 0 && !isHeld
  }

  // MARK: When

  /// A snapshot is taken at a tile.
  ///
  /// - Parameter isForHolder: whether it is sent to the holder.
  mutating func take(at next: Int, interval: Int, isForHolder: Bool) {
    if isForHolder || holder == nil { isDue = false }
    lastSnapshot = next
    // One made anew for another holder counts, but doesn't wait for its time.
    lastDue = next - lastDue < interval ? next : max(lastDue + interval, next - interval / 2)
  }

  /// Whether a copy is waited for that can be made after `next` steps.
  func isAwaited(after next: Int) -> Bool { dueSteps <= next && best < dueSteps }

  /// Somebody waits until a copy has passed some steps.
  mutating func demand(_ steps: Int) {
    guard steps > best else { return }
    dueSteps = dueSteps > best ? min(dueSteps, steps) : steps
  }

  // MARK: A holder's memory

  func maySend(at now: Duration) -> Bool {
    holder != nil && !isUnreachable && holderRetryAt.map { now >= $0 } ?? true
  }

  /// The holder has a whole copy.
  mutating func arrived(at next: Int) {
    copied = next
    holderAnswered()
  }

  /// The holder's copy is of no use any more, or there is none.
  mutating func lose(dispatched: Int) {
    copied = 0
    isGivenUp = false
    isDue = dispatched > 0
  }

  /// Another holder, which hasn't failed yet.
  mutating func change(to holder: WorkerID?) {
    self.holder = holder
    holderAnswered()
  }

  /// Whether there is a connection to the holder: when there is one again, the copy is made anew.
  mutating func reach(_ isReachable: Bool, dispatched: Int) {
    guard isUnreachable == isReachable else { return }
    isUnreachable = !isReachable
    guard isReachable else { return }
    holderAnswered()
    isDue = dispatched > 0
  }

  mutating func refused(at now: Duration) { holderRetryAt = now + Limits.copyTimeout }

  mutating func giveUp() { isGivenUp = true }

  /// A holder that can't be reached breaks every connection at once: without a pause each of them
  /// would cost a snapshot. The first break alone says nothing.
  mutating func holderBroke(at now: Duration) {
    breaks += 1
    guard breaks > 1 else { return }
    let doublings = min(breaks - 2, 16)
    holderRetryAt =
      now
      + min(Limits.holderRetryInterval * (1 << doublings), Limits.holderRetryIntervalMaximum)
    isGivenUp = breaks > Limits.copyRepeatsMaximum
  }

  private mutating func holderAnswered() {
    breaks = 0
    holderRetryAt = nil
    isGivenUp = false
  }

  // MARK: Checkpoints

  /// A copy for another holder may be due before anything more was folded: the disk has that already.
  func mayPersist(_ dispatched: Int, at now: Duration) -> Bool {
    dispatched > durable && slotRetryAt.map { now >= $0 } ?? true
  }

  /// Steps done in what is in a slot.
  func steps(inSlot slot: Int) -> Int { slots[slot] }

  /// The slot to overwrite: the older one.
  var olderSlot: Int { slots[1] < slots[0] ? 1 : 0 }

  mutating func wrote(slot: Int, _ next: Int) {
    slots[slot] = next
    slotRetryAt = nil
  }

  /// What was written is lost; another try is made after a while.
  mutating func writeFailed(at now: Duration) {
    slots = [0, 0]
    slotRetryAt = now + Limits.slotRetryInterval
  }

  // MARK: What outlives this worker

  /// Whether all of a rank that has stopped after `next` steps is where another host finds it.
  func isHandedOver(at next: Int) -> Bool {
    if next == 0 || isUnprotected || copied == next { return true }
    // A checkpoint is the second best: the next host may not reach this worker's disk.
    return (holder == nil || isGivenUp || isUnreachable) && durable == next
  }

  /// Steps done in what would outlive this worker; nil where nothing would.
  func outlasting(hasDisk: Bool) -> Int? {
    let hasHolder = holder != nil && !isUnreachable && !isGivenUp
    guard !isUnprotected, hasHolder || (hasDisk && slotRetryAt == nil) else { return nil }
    return best
  }
}
