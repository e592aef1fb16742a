internal import Glibc
internal import MeshCore
internal import MeshWire
internal import ZeroMQ

/// What a worker sends to its peers, in order; at the rate of a modelled link in benchmarks, at once
/// otherwise.
struct LinkPacer {
  /// One message for a peer.
  struct Parcel {
    let frame: DataFrame
    let payload: StoredFrame
    let link: Worker.Link
  }

  private let bytesPerSecond: Double?
  private var queue: [Parcel] = []
  /// When the link has sent all that was given to it.
  private var freeAt = Duration.zero

  init(bytesPerSecond: Double?) { self.bytesPerSecond = bytesPerSecond }

  mutating func add(_ parcel: Parcel) { queue.append(parcel) }

  mutating func clear() { queue = [] }

  /// When the next parcel is due; nil when there is none.
  var nextDue: Duration? { queue.first.map { due($0) } }

  private func due(_ parcel: Parcel) -> Duration {
    bytesPerSecond == nil ? .zero : freeAt
  }

  /// The next parcel that has crossed the link by `now`.
  mutating func next(at now: Duration) -> Parcel? {
    guard let first = queue.first else { return nil }
    guard let bytesPerSecond else { return queue.removeFirst() }
    let crossing = Duration.nanoseconds(
      Int64(Double(first.payload.count) / bytesPerSecond * 1e9))
    // A link that was idle starts now; a parcel is delivered when its last byte has crossed.
    if !isCrossing {
      freeAt = max(freeAt, now) + crossing
      isCrossing = true
    }
    guard now >= freeAt else { return nil }
    isCrossing = false
    return queue.removeFirst()
  }

  private var isCrossing = false
}

/// Sleeps: a model of work.
func sleep(seconds: Double) {
  var time = timespec(
    tv_sec: Int(seconds), tv_nsec: Int((seconds - seconds.rounded(.down)) * 1e9))
  var rest = timespec()
  while nanosleep(&time, &rest) != 0, errno == EINTR { time = rest }
}
