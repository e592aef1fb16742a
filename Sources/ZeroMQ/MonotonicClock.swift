internal import Glibc

/// The time that loops and state machines reckon with.
package enum MonotonicClock {
  private static let start = reading()

  /// Time since the first call in this process; it never goes back and is not set by anyone.
  package static var now: Duration {
    // The order matters: the first call must not read the origin after the time.
    let origin = start
    return reading() - origin
  }

  private static func reading() -> Duration {
    var time = timespec()
    // clock_gettime: 0, or -1 with EINVAL for a clock that does not exist.
    clock_gettime(CLOCK_MONOTONIC, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
  }
}
