internal import MeshCore
internal import ZeroMQ

/// A worker's connection to one source of tiles, made anew for each job: what is queued for a source
/// that died is never delivered to what comes after it.
final class PullLink {
  let source: Worker.Source
  let connection: WatchLink
  /// Twice what the core lets be outstanding at one source.
  private static let waitingMaximum = 64
  /// Messages that found no room or no connection yet, in order; sent as soon as there is.
  private var waiting: [StoredMessage] = []

  /// A message that can be sent later.
  struct StoredMessage {
    let header: [UInt8]
    let payload: StoredFrame?
    let purpose: Traffic.Purpose
  }

  init(
    source: Worker.Source, endpoint: String, security: SocketSecurity, usesIPv6: Bool,
    routingID: [UInt8], context: Context
  ) throws(ZeroMQError) {
    self.source = source
    var options = Sockets.data(security)
    options.routingID = routingID
    options.usesIPv6 = usesIPv6
    connection = try WatchLink(endpoint: endpoint, options: options, context: context)
  }

  /// Sends in order, and counts what is written to the socket, framing included.
  func send(_ message: StoredMessage, counting traffic: inout Traffic) {
    // What waits for a source that never answered was asked of another long ago.
    if waiting.count >= Self.waitingMaximum { waiting.removeFirst() }
    waiting.append(message)
    flush(counting: &traffic)
  }

  /// Sends what waits, as far as there is room. What is counted, and as what, is each message that
  /// leaves now: that may be another than the one that was given last.
  func flush(counting traffic: inout Traffic) {
    while let next = waiting.first {
      let message = Message(header: Frame(next.header), payload: next.payload?.copy())
      guard (try? connection.socket.socket.send(message)) == .sent else { break }
      traffic.count(next.header.count, next.payload?.count, for: next.purpose)
      waiting.removeFirst()
    }
  }

  var isWaiting: Bool { !waiting.isEmpty }
}

extension Traffic {
  /// What bytes are counted as.
  enum Purpose { case tiles, inputs, results, copies }

  /// Counts a message that came, whatever it turns out to be.
  mutating func countReceived(_ message: borrowing Message) {
    receivedBytes += Sockets.wireBytes(message.header.count)
    switch message.payload {
    case .some(let payload): receivedBytes += Sockets.wireBytes(payload.count)
    case .none: break
    }
  }

  /// Counts a message of one frame or two as it goes over the wire.
  mutating func count(_ headerBytes: Int, _ payloadBytes: Int?, for purpose: Purpose) {
    let bytes =
      Sockets.wireBytes(headerBytes) + (payloadBytes.map { Sockets.wireBytes($0) } ?? 0)
    switch purpose {
    case .tiles: tileBytes += bytes
    case .inputs: inputBytes += bytes
    case .results: resultBytes += bytes
    case .copies: copyBytes += bytes
    }
  }
}
