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
  }

  init(
    source: Worker.Source, endpoint: String, routingID: [UInt8], context: Context
  ) throws(ZeroMQError) {
    self.source = source
    var options = Sockets.data
    options.routingID = routingID
    connection = try WatchLink(endpoint: endpoint, options: options, context: context)
  }

  /// Sends in order.
  ///
  /// - Returns: bytes written to the socket, framing included.
  func send(_ message: StoredMessage) -> Int {
    // What waits for a source that never answered was asked of another long ago.
    if waiting.count >= Self.waitingMaximum { waiting.removeFirst() }
    waiting.append(message)
    return flush()
  }

  /// Sends what waits, as far as there is room.
  func flush() -> Int {
    var bytes = 0
    while let next = waiting.first {
      let message = Message(header: Frame(next.header), payload: next.payload?.copy())
      guard (try? connection.socket.socket.send(message)) == .sent else { break }
      bytes += Sockets.wireBytes(next.header.count)
      bytes += next.payload.map { Sockets.wireBytes($0.count) } ?? 0
      waiting.removeFirst()
    }
    return bytes
  }

  var isWaiting: Bool { !waiting.isEmpty }
}
