internal import Glibc
internal import MeshCore
internal import ZeroMQ

/// Loses, repeats and reorders whole messages between a socket and what is behind it, for tests:
/// `ATTNMESH_SHIM=drop=5,duplicate=5,reorder=5,seed=7`, in percent. TCP does none of this, and bytes
/// that a proxy changes never get through encryption; a connection that breaks loses messages all the
/// same.
struct MessageShim {
  private let drop: Int
  private let duplicate: Int
  private let reorder: Int
  private var random: SplitMix64
  /// Waits for the next one to go first.
  private var late: [StoredMessage] = []

  private struct StoredMessage {
    let routingID: [UInt8]?
    let header: StoredFrame
    let payload: StoredFrame?

    func message() -> Message {
      Message(routingID: routingID, header: header.copy(), payload: payload?.copy())
    }
  }

  /// - Parameter place: makes the shims of one process behave differently.
  /// - Returns: nil without the variable.
  init?(_ place: UInt64) {
    guard let text = getenv("ATTNMESH_SHIM").map({ String(cString: $0) }) else { return nil }
    var values: [Substring: Int] = [:]
    for field in text.split(separator: ",") {
      let pair = field.split(separator: "=")
      guard pair.count == 2, let value = Int(pair[1]) else { continue }
      values[pair[0]] = value
    }
    drop = values["drop"] ?? 0
    duplicate = values["duplicate"] ?? 0
    reorder = values["reorder"] ?? 0
    random = SplitMix64(
      seed: UInt64(bitPattern: Int64(values["seed"] ?? 1)) &+ place &+ UInt64(getpid()) << 8)
  }

  private mutating func hits(_ percent: Int) -> Bool { Int(random.next() % 100) < percent }

  /// Hands on what arrives: nothing, the message, the message twice, or it and one from before.
  mutating func pass(_ message: consuming Message, to deliver: (consuming Message) -> Void) {
    if hits(drop) { return }
    let stored = Self.store(message)
    if hits(reorder), late.isEmpty { return late.append(stored) }
    deliver(stored.message())
    if hits(duplicate) { deliver(stored.message()) }
    for old in late { deliver(old.message()) }
    late = []
  }

  private static func store(_ received: consuming Message) -> StoredMessage {
    var message = received
    var payload: StoredFrame?
    if let frame = message.payload.take() { payload = StoredFrame(frame) }
    return StoredMessage(
      routingID: message.routingID, header: StoredFrame(message.header.copy()), payload: payload)
  }

  /// Whether a message that is being sent gets lost.
  mutating func loses() -> Bool { hits(drop) }
}
