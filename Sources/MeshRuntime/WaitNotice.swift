internal import ZeroMQ

/// What a process that waits says: at once, when it waits for something else, and every ten seconds.
package struct WaitNotice: Sendable {
  private var subject: String?
  private var toldAt = Duration.zero
  private var since = Duration.zero

  package static let interval: Duration = .seconds(10)

  package init() {}

  /// Whether anything was said.
  package var isTold: Bool { subject != nil }

  /// Whether something is to be said now. Says so once each time.
  ///
  /// - Parameter subject: what is waited for.
  package mutating func isDue(_ subject: String, at now: Duration) -> Bool {
    if subject != self.subject {
      (self.subject, toldAt, since) = (subject, now, now)
      return true
    }
    guard now - toldAt >= Self.interval else { return false }
    toldAt = now
    return true
  }

  /// Says it if it is due.
  package mutating func tell(_ subject: String, _ text: String, _ say: (String) -> Void) {
    if isDue(subject, at: MonotonicClock.now) { say(text) }
  }

  /// Seconds since it began to wait for what it waits for.
  package func seconds(at now: Duration) -> Int64 { (now - since).components.seconds }
}
