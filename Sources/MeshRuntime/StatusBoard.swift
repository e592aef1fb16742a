internal import Synchronization
internal import ZeroMQ

/// The newest report of a loop, for readers on other threads: the loop replaces it, and neither side
/// ever waits for the other.
package final class StatusBoard<Report: Sendable>: Sendable {
  private let newest: Mutex<Entry?> = Mutex(nil)

  /// A report, and when it was written.
  package struct Entry: Sendable {
    package let report: Report
    /// By this process's monotonic clock.
    package let writtenAt: Duration
  }

  package init() {}

  /// Replaces the report.
  package func write(_ report: Report) {
    let entry = Entry(report: report, writtenAt: MonotonicClock.now)
    // The old one is freed outside the lock.
    let old = newest.withLock { newest in
      defer { newest = entry }
      return newest
    }
    _ = old
  }

  /// The newest report; nil before the first.
  package func read() -> Entry? { newest.withLock { $0 } }

  /// Now, by the clock of `Entry.writtenAt`.
  package static var now: Duration { MonotonicClock.now }
}
