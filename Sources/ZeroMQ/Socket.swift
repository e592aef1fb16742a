internal import CZeroMQ
internal import Glibc

/// A ZeroMQ socket: created, used and closed by one thread.
///
/// Not `Sendable`, so the compiler confines it. It never blocks: waiting is the `Poller`'s.
package struct Socket: ~Copyable {
  /// The patterns in use. PAIR is there for monitors and for tests.
  package enum Kind: Sendable {
    case router, dealer, pair

    var code: Int32 {
      switch self {
      case .router: ZMQ_ROUTER
      case .dealer: ZMQ_DEALER
      case .pair: ZMQ_PAIR
      }
    }
  }

  let handle: UnsafeMutableRawPointer

  /// Keeps the context until after the socket is closed: terminating it waits for that.
  let context: Context

  /// The socket's pattern.
  package let kind: Kind

  /// Whether peers proved who they are.
  let isServer: Bool

  /// Messages dropped on receipt for having more frames than a `Message`.
  package internal(set) var oversizedMessages = 0

  /// Creates a socket and sets its options.
  ///
  /// - Throws: `EMFILE` at the context's limit of sockets, `EINVAL` for a refused option.
  package init(_ kind: Kind, context: Context, options: SocketOptions) throws(ZeroMQError) {
    self.handle = try Self.open(kind, context, options)
    self.context = context
    self.kind = kind
    if case .server = options.security { isServer = true } else { isServer = false }
  }

  deinit {
    // zmq_close: 0, or -1 with ENOTSOCK.
    zmq_close(handle)
  }
}

extension Socket {
  /// Listens at an endpoint.
  ///
  /// The file of an `ipc` endpoint stays behind when the socket closes; whoever made its directory
  /// removes it.
  ///
  /// - Returns: the endpoint in use, with the port that a `*` was replaced by.
  /// - Throws: `EADDRINUSE`, `EADDRNOTAVAIL`, `ENODEV`, `EACCES`; `EINVAL`, `EPROTONOSUPPORT` or
  ///   `ENAMETOOLONG` for a malformed endpoint.
  package borrowing func bind(_ endpoint: String) throws(ZeroMQError) -> String {
    let handle = handle
    // zmq_bind: 0, or -1 with the codes above, EMTHREAD, ENOCOMPATPROTO, ETERM, ENOTSOCK.
    try check("zmq_bind", endpoint: endpoint) { zmq_bind(handle, endpoint) }
    return try lastEndpoint()
  }

  /// Starts connecting to an endpoint; that it worked shows at the monitor and in `events`.
  ///
  /// - Throws: `EINVAL` or `EPROTONOSUPPORT` for a malformed endpoint, `ENAMETOOLONG`.
  package borrowing func connect(_ endpoint: String) throws(ZeroMQError) {
    let handle = handle
    // zmq_connect: 0, or -1 with EINVAL, EPROTONOSUPPORT, ENOCOMPATPROTO, EMTHREAD, ETERM.
    try check("zmq_connect", endpoint: endpoint) { zmq_connect(handle, endpoint) }
  }

  /// Ends a connection; with no linger, what is still queued for it is lost.
  ///
  /// - Throws: `ENOENT` when not connected there.
  package borrowing func disconnect(_ endpoint: String) throws(ZeroMQError) {
    let handle = handle
    // zmq_disconnect: 0, or -1 with EINVAL, ENOENT, ETERM, ENOTSOCK.
    try check("zmq_disconnect", endpoint: endpoint) { zmq_disconnect(handle, endpoint) }
  }

  /// Stops listening. What the peers accepted there send may no longer arrive, without any event:
  /// unbind to free an address, not to keep serving.
  ///
  /// - Parameter endpoint: as returned by `bind`.
  /// - Throws: `ENOENT` when not bound there.
  package borrowing func unbind(_ endpoint: String) throws(ZeroMQError) {
    let handle = handle
    // zmq_unbind: 0, or -1 with EINVAL, ENOENT, ETERM, ENOTSOCK.
    try check("zmq_unbind", endpoint: endpoint) { zmq_unbind(handle, endpoint) }
  }

  /// What the socket could do now without blocking.
  ///
  /// - Throws: nothing that can happen to a live socket.
  package var events: Readiness {
    get throws(ZeroMQError) {
      var value: Int32 = 0
      var size = MemoryLayout<Int32>.size
      let handle = handle
      // zmq_getsockopt: 0, or -1 with EINVAL, ETERM, ENOTSOCK, EINTR.
      try check("zmq_getsockopt") { zmq_getsockopt(handle, ZMQ_EVENTS, &value, &size) }
      return Readiness(rawValue: Int16(truncatingIfNeeded: value))
    }
  }

  private static func open(
    _ kind: Kind, _ context: Context, _ options: SocketOptions
  ) throws(ZeroMQError) -> UnsafeMutableRawPointer {
    // zmq_socket: the socket, or NULL with EINVAL, EFAULT, EMFILE, ETERM.
    guard let handle = zmq_socket(context.handle, kind.code) else { throw .last("zmq_socket") }
    do throws(ZeroMQError) {
      try options.apply(to: handle, kind: kind)
      return handle
    } catch {
      // zmq_close: 0, or -1 with ENOTSOCK.
      zmq_close(handle)
      throw error
    }
  }

  private borrowing func lastEndpoint() throws(ZeroMQError) -> String {
    let handle = handle
    var bytes = [UInt8](repeating: 0, count: 512)
    var size = bytes.count
    // zmq_getsockopt: 0, or -1 with EINVAL, ETERM, ENOTSOCK, EINTR.
    try check("zmq_getsockopt") { zmq_getsockopt(handle, ZMQ_LAST_ENDPOINT, &bytes, &size) }
    // The size counts the terminating zero.
    return String(decoding: bytes.prefix(max(0, size - 1)), as: UTF8.self)
  }
}
