internal import Glibc
package import ZeroMQ

/// Threads for what would make a loop late: digests, syncs. Begun in order, and by one thread also done
/// in order.
package final class BackgroundQueue: Sendable {
  private struct State {
    var work: [@Sendable () -> Void] = []
    var isStopped = false
    var running: Int
  }

  private let state: Monitor<State>
  private let threads: [DedicatedThread]

  /// - Parameter width: how much is done at the same time.
  package init(name: String, width: Int = 1) throws(ZeroMQError) {
    let state = Monitor(State(running: width))
    self.state = state
    threads = try (0..<width).map { _ throws(ZeroMQError) in
      try DedicatedThread(name: name) {
        while true {
          var next: (@Sendable () -> Void)?
          state.wait(until: { !$0.work.isEmpty || $0.isStopped }) { state in
            next = state.work.isEmpty ? nil : state.work.removeFirst()
          }
          guard let next else { return state.update { $0.running -= 1 } }
          next()
        }
      }
    }
  }

  func run(_ work: @escaping @Sendable () -> Void) {
    state.update { $0.work.append(work) }
  }

  /// Ends after the work it has.
  package func stop() {
    state.update { $0.isStopped = true }
    for thread in threads { thread.join() }
  }

  /// The same, but leaves work that takes longer to the end of the process.
  ///
  /// - Returns: whether it has ended.
  package func stop(upTo limit: Duration) -> Bool {
    state.update { $0.isStopped = true }
    let deadline = MonotonicClock.now + limit
    while MonotonicClock.now < deadline, state.read({ $0.running > 0 }) { usleep(5_000) }
    return state.read { $0.running == 0 }
  }
}
