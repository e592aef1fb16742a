/// How long an answer takes, as measured: what a lost message is told from a slow one by (as TCP's
/// retransmission timer, RFC 6298).
struct RoundTrip: Sendable {
  private var mean: Duration?
  private var deviation = Duration.zero

  mutating func add(_ sample: Duration) {
    guard let old = mean else {
      mean = sample
      deviation = sample / 2
      return
    }
    let error = sample > old ? sample - old : old - sample
    deviation = (deviation * 3 + error) / 4
    mean = (old * 7 + sample) / 8
  }

  /// After which an answer is no longer waited for; twice as long with each repeat, and never longer
  /// than `maximum`, which also holds before the first sample.
  func timeout(attempts: Int, maximum: Duration) -> Duration {
    guard let mean else { return maximum }
    let once = max(Limits.answerTimeoutMinimum, mean + deviation * 4)
    return min(maximum, once * (1 << min(max(0, attempts - 1), 4)))
  }
}
