/// A socket that collections, a `Poller` and a `SocketMonitor` can refer to.
///
/// Not `Sendable`, like the socket: it lives and dies on its thread.
package final class OwnedSocket {
  /// The socket; it closes with the last reference.
  package var socket: Socket

  package init(_ socket: consuming Socket) {
    self.socket = socket
  }

  /// Creates a socket and takes it over.
  ///
  /// - Throws: what `Socket.init` throws.
  package convenience init(
    _ kind: Socket.Kind, context: Context, options: SocketOptions
  ) throws(ZeroMQError) {
    self.init(try Socket(kind, context: context, options: options))
  }
}
