internal import CZeroMQ
internal import Glibc

/// Answers libzmq's question whom to admit (ZAP, RFC 27), for the sockets of one context that were
/// set up as `SocketSecurity.server`. Start it before such a socket binds.
///
/// A thread of its own: a handshake must not wait for a loop that is busy, nor a loop for
/// handshakes.
package final class Authenticator: Sendable {
  /// What becomes of a handshake.
  package enum Answer: Sendable {
    /// Its messages carry the key, see `Message.user`.
    case admit
    /// The peer is told, and doesn't try again.
    case refuse
    /// The connection is dropped without a word: the peer may be admitted when it tries again.
    case notYet
  }

  /// Domain of all sockets; others are refused.
  static let domain = "mesh"
  private static let endpoint = "inproc://zeromq.zap.01"

  private let mailbox: Mailbox<Void>
  private let thread: DedicatedThread

  /// Starts the thread.
  ///
  /// - Parameter decide: whether a peer that proved to have a public key is admitted; called on the
  ///   thread.
  /// - Throws: `EADDRINUSE` for a second one in the context; `EMFILE`.
  package init(
    _ context: Context, decide: @escaping @Sendable (_ publicKey: String) -> Answer
  ) throws(ZeroMQError) {
    let mailbox = try Mailbox<Void>(capacity: 1)
    self.mailbox = mailbox
    let socket = try ReplySocket(context: context, endpoint: Self.endpoint)
    thread = try DedicatedThread(name: "zap") {
      while socket.wait(for: mailbox.fileDescriptor) {
        guard let request = socket.receive() else { continue }
        socket.send(Self.reply(to: request, decide))
      }
    }
  }

  deinit { stop() }

  /// Ends the thread; whoever shakes hands from now on is refused.
  package func stop() {
    _ = mailbox.post(())
    thread.join()
  }

  /// The request has seven frames: version, request id, domain, address, routing id, mechanism,
  /// credentials. The reply has six: version, request id, status, text, user, metadata.
  private static func reply(
    to request: [[UInt8]], _ decide: (String) -> Answer
  ) -> [[UInt8]] {
    let id = request.count > 1 ? request[1] : []
    guard request.count == 7, request[0] == Array("1.0".utf8) else {
      return frames(id, "500", "not ZAP 1.0")
    }
    guard request[2] == Array(domain.utf8), request[5] == Array("CURVE".utf8),
      let key = request[6].withUnsafeBytes({ CurveKeyPair.text(ofKey: $0) })
    else { return frames(id, "400", "refused") }
    switch decide(key) {
    case .admit: return frames(id, "200", "OK", user: key)
    case .refuse: return frames(id, "400", "refused")
    case .notYet: return frames(id, "300", "not yet")
    }
  }

  private static func frames(
    _ id: [UInt8], _ status: String, _ text: String, user: String = ""
  ) -> [[UInt8]] {
    [Array("1.0".utf8), id, Array(status.utf8), Array(text.utf8), Array(user.utf8), []]
  }
}

/// A REP socket with messages of many small frames, for ZAP alone. It is made on one thread, and
/// used and closed on another that starts after that.
private final class ReplySocket: @unchecked Sendable {
  private static let framesMaximum = 16
  private let handle: UnsafeMutableRawPointer
  private let context: Context

  init(context: Context, endpoint: String) throws(ZeroMQError) {
    // zmq_socket: the socket, or NULL with EINVAL, EFAULT, EMFILE, ETERM.
    guard let handle = zmq_socket(context.handle, ZMQ_REP) else { throw .last("zmq_socket") }
    self.handle = handle
    self.context = context
    var linger: Int32 = 0
    zmq_setsockopt(handle, ZMQ_LINGER, &linger, MemoryLayout<Int32>.size)
    try check("zmq_bind", endpoint: endpoint) { zmq_bind(handle, endpoint) }
  }

  deinit { zmq_close(handle) }

  /// Waits for a request; false when the descriptor became readable.
  func wait(for descriptor: Int32) -> Bool {
    var items = [
      zmq_pollitem_t(socket: handle, fd: -1, events: Int16(ZMQ_POLLIN), revents: 0),
      zmq_pollitem_t(socket: nil, fd: descriptor, events: Int16(ZMQ_POLLIN), revents: 0),
    ]
    // zmq_poll: ready items, or -1 with EINTR, ETERM, EFAULT.
    while zmq_poll(&items, 2, -1) < 0 {
      guard zmq_errno() == EINTR else { return false }
    }
    return items[1].revents == 0
  }

  /// The frames of the next request; nil when there is none, or it has too many.
  func receive() -> [[UInt8]]? {
    var frames: [[UInt8]] = []
    var count = 0
    var frame = Frame()
    repeat {
      while zmq_msg_recv(&frame.message, handle, ZMQ_DONTWAIT) < 0 {
        guard zmq_errno() == EINTR else { return nil }
      }
      count += 1
      if count <= Self.framesMaximum { frames.append(frame.copiedBytes()) }
    } while frame.hasMore
    // REP has to answer whatever it was asked.
    return count <= Self.framesMaximum ? frames : []
  }

  func send(_ frames: [[UInt8]]) {
    for (index, frame) in frames.enumerated() {
      let flags = index == frames.count - 1 ? 0 : ZMQ_SNDMORE
      // zmq_send: bytes, or -1; without a reply the peer's handshake times out.
      while zmq_send(handle, frame, frame.count, flags) < 0, zmq_errno() == EINTR {}
    }
  }
}
