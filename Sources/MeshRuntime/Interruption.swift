internal import Glibc
internal import Synchronization

/// Whether the user pressed Ctrl-C or somebody sent SIGTERM: work looks and ends in order. A second
/// signal ends the process at once.
package struct Interruption: Sendable {
  private static let count = Atomic<Int>(0)
  private static let first = Atomic<Int32>(0)

  /// Takes over SIGINT and SIGTERM of this process.
  package init() {
    for number in [SIGINT, SIGTERM] {
      signal(number) { number in
        _ = Interruption.first.compareExchange(
          expected: 0, desired: number, ordering: .relaxed)
        if Interruption.count.add(1, ordering: .relaxed).newValue > 1 { _exit(130) }
      }
    }
  }

  /// Waits until `event` gives something, also after a signal, for at most so long.
  package func waitOn<Result>(upTo seconds: Int, _ event: () -> Result?) -> Result? {
    for _ in 0..<seconds * 20 {
      if let result = event() { return result }
      usleep(50_000)
    }
    return nil
  }

  /// Waits a while; true when a signal came.
  package func wait(upTo seconds: Double) -> Bool {
    // A signal cuts the sleep short.
    if !isRequested { usleep(UInt32(seconds * 1_000_000)) }
    return isRequested
  }

  /// The signal that came first, for people.
  package var cause: String {
    switch Self.first.load(ordering: .relaxed) {
    case SIGINT: "SIGINT (Ctrl-C)"
    case SIGTERM: "SIGTERM"
    default: "no signal"
    }
  }

  package var isRequested: Bool { Self.count.load(ordering: .relaxed) > 0 }

  /// Waits for a signal.
  package func wait() {
    let _: Bool? = wait { nil }
  }

  /// Waits for a signal, or until `event` gives something.
  package func wait<Result>(_ event: () -> Result?) -> Result? {
    while !isRequested {
      if let result = event() { return result }
      // A signal cuts the wait short.
      usleep(50_000)
    }
    return nil
  }
}
