internal import Glibc
package import ZeroMQ

/// One thread for what would make a loop late: digests, syncs. Done in order.
package final class BackgroundQueue: Sendable {
  private struct State {
    var work: [@Sendable () -> Void] = []
    var isStopped = false
    var hasEnded = false
  }

  private let state = Monitor(State())
  private let thread: DedicatedThread

  package init(name: String) throws(ZeroMQError) {
    thread = try DedicatedThread(name: name) { [state] in
      while true {
        var next: (@Sendable () -> Void)?
        state.wait(until: { !$0.work.isEmpty || $0.isStopped }) { state in
          next = state.work.isEmpty ? nil : state.work.removeFirst()
        }
        guard let next else { return state.update { $0.hasEnded = true } }
        next()
      }
    }
  }

  func run(_ work: @escaping @Sendable () -> Void) {
    state.update { $0.work.append(work) }
  }

  /// Ends after the work it has.
  package func stop() {
    state.update { $0.isStopped = true }
    thread.join()
  }

  /// The same, but leaves work that takes longer to the end of the process.
  ///
  /// - Returns: whether it has ended.
  package func stop(upTo limit: Duration) -> Bool {
    state.update { $0.isStopped = true }
    let deadline = MonotonicClock.now + limit
    while MonotonicClock.now < deadline, !state.read({ $0.hasEnded }) { usleep(5_000) }
    return state.read { $0.hasEnded }
  }
}
