package import FoldEngine
internal import Glibc
internal import MeshCore
internal import Synchronization
package import ZeroMQ

/// The compute threads of one process. Work is done in the order in which it is given; the items of
/// one piece of work are shared out among the threads, which meet at its end.
package final class ComputePool: Sendable {
  /// One piece of work.
  private final class Work: Sendable {
    let itemCount: Int
    let perform: @Sendable (Int, FoldScratch) -> Void
    let completion: @Sendable (Duration) -> Void
    let nextItem = Atomic<Int>(0)
    let openItems: Atomic<Int>
    /// CPU time of the threads for it.
    let nanoseconds = Atomic<Int64>(0)

    init(
      itemCount: Int, perform: @escaping @Sendable (Int, FoldScratch) -> Void,
      completion: @escaping @Sendable (Duration) -> Void
    ) {
      self.itemCount = itemCount
      self.perform = perform
      self.completion = completion
      openItems = Atomic(itemCount)
    }
  }

  private struct State {
    var queue: [Work] = []
    var isStopped = false
    var busy = Duration.zero
    var busySince: Duration?
  }

  private let state = Monitor(State())
  private let threads: Mutex<[DedicatedThread]> = Mutex([])
  private let isCancelled = Atomic<Bool>(false)
  private let done = Atomic<UInt64>(0)
  package let threadCount: Int

  /// - Parameter nice: how much the threads yield to others; ten, so that the thread that answers
  ///   peers and sends heartbeats never waits for them.
  package init(threads count: Int, nice: Int = 10) throws(ZeroMQError) {
    precondition(count >= 1, "\(count) compute threads")
    threadCount = count
    for index in 0..<count {
      let thread = try DedicatedThread(name: "compute-\(index)", nice: nice) { [state] in
        Self.run(
          state,
          isCancelled: { [weak self] in
            self?.isCancelled.load(ordering: .relaxed) ?? true
          }, countItem: { [weak self] in _ = self?.done.add(1, ordering: .relaxed) })
      }
      threads.withLock { $0.append(thread) }
    }
  }

  /// Adds work to the end of the queue.
  ///
  /// - Parameter completion: called on a compute thread once every item is done or, after `cancel`,
  ///   skipped; told the CPU time that the items took.
  package func submit(
    itemCount: Int, perform: @escaping @Sendable (Int, FoldScratch) -> Void,
    completion: @escaping @Sendable (Duration) -> Void
  ) {
    guard itemCount > 0 else { return completion(.zero) }
    let work = Work(itemCount: itemCount, perform: perform, completion: completion)
    state.update { $0.queue.append(work) }
  }

  /// Waits until no more than `count` pieces of work are unfinished.
  ///
  /// - Returns: how many are.
  @discardableResult
  package func wait(unfinished count: Int) -> Int {
    var left = 0
    state.wait {
      $0.queue.count <= count
    } then: {
      left = $0.queue.count
    }
    return left
  }

  /// Skips all items that haven't begun; completions still run, in order. Waits until the queue is
  /// empty: at most as long as one item takes, or one step of a completion.
  package func cancel() {
    isCancelled.store(true, ordering: .relaxed)
    wait(unfinished: 0)
    isCancelled.store(false, ordering: .relaxed)
  }

  /// Counts a step of a completion that takes long, like an item: who watches `itemsDone` sees that
  /// its thread gets on.
  ///
  /// - Returns: whether to go on; false while items are being skipped.
  package func countStep() -> Bool {
    done.add(1, ordering: .relaxed)
    return !isCancelling
  }

  /// Whether items are being skipped: what completes then has no result.
  package var isCancelling: Bool { isCancelled.load(ordering: .relaxed) }

  /// Items done since the pool was made: what tells that its threads get on.
  package var itemsDone: UInt64 { done.load(ordering: .relaxed) }

  /// Whether there is work.
  package var isBusy: Bool { state.read { !$0.queue.isEmpty } }

  /// Wall time in which there was work.
  package var busySeconds: Double {
    state.read { state in
      let running = state.busySince.map { MonotonicClock.now - $0 } ?? .zero
      return (state.busy + running).seconds
    }
  }

  /// Ends the threads after the work they have.
  package func stop() {
    state.update { $0.isStopped = true }
    threads.withLock { threads in
      for thread in threads { thread.join() }
      threads = []
    }
  }

  private static func run(
    _ state: Monitor<State>, isCancelled: () -> Bool, countItem: () -> Void
  ) {
    let scratch = FoldScratch()
    while true {
      var work: Work?
      state.wait {
        $0.isStopped
          || $0.queue.first.map { $0.nextItem.load(ordering: .relaxed) < $0.itemCount }
            ?? false
      } then: { state in
        work = state.queue.first
        if work != nil, state.busySince == nil { state.busySince = MonotonicClock.now }
      }
      guard let work else { return }
      perform(
        work, scratch: scratch, isCancelled: isCancelled, countItem: countItem, state: state)
    }
  }

  private static func perform(
    _ work: Work, scratch: FoldScratch, isCancelled: () -> Bool, countItem: () -> Void,
    state: Monitor<State>
  ) {
    var start = threadTime()
    while true {
      let item = work.nextItem.add(1, ordering: .relaxed).oldValue
      guard item < work.itemCount else { return }
      if !isCancelled() { work.perform(item, scratch) }
      countItem()
      // The last item that each thread does is counted with what it did before.
      if item + 1 >= work.itemCount - 1 || item % 16 == 15 {
        let end = threadTime()
        work.nanoseconds.add(end - start, ordering: .relaxed)
        start = end
      }
      if work.openItems.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 {
        // The completion comes before the next work begins, so results appear in order.
        work.completion(.nanoseconds(work.nanoseconds.load(ordering: .relaxed)))
        state.update { state in
          state.queue.removeFirst()
          guard state.queue.isEmpty, let since = state.busySince else { return }
          state.busy += MonotonicClock.now - since
          state.busySince = nil
        }
      }
    }
  }
}

extension ComputePool: WorkQueue {
  package func submit(_ work: some ItemisedWork) { submit(work) { _ in } }

  /// Adds work to the end of the queue; `completion` as for items that are closures.
  package func submit(
    _ work: some ItemisedWork, completion: @escaping @Sendable (Duration) -> Void
  ) {
    let count = work.itemCount
    // Without items it still takes its turn.
    submit(
      itemCount: max(1, count),
      perform: { if $0 < count { work.perform($0, scratch: $1) } }, completion: completion)
  }
}

/// CPU time of the calling thread, in nanoseconds.
func threadTime() -> Int64 {
  var time = timespec()
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
  return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}
