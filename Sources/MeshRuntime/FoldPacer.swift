internal import MeshCore
internal import Synchronization
internal import ZeroMQ

/// Lets modelled folds take their time, one after the other: a fold begins when it has been asked
/// for and the one before it is done. Sleeps end late, by a fifth of a millisecond here; reckoned
/// from when the thread happened to wake, that would add up over a job.
final class FoldPacer: Sendable {
  private let freeAt = Mutex(Duration.zero)

  /// Returns when a fold that was asked for at `start` is done.
  func perform(_ work: Duration, askedAt start: Duration) {
    let end = freeAt.withLock { freeAt in
      freeAt = max(freeAt, start) + work
      return freeAt
    }
    let rest = end - MonotonicClock.now
    if rest > .zero { sleep(seconds: rest.seconds) }
  }
}
