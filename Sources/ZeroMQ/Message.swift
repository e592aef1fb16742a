/// What is sent and received as a whole: an envelope and, for bulk data, a payload beside it.
package struct Message: ~Copyable, Sendable {
  /// At a ROUTER the peer it came from or goes to; `nil` at every other socket.
  package var routingID: [UInt8]?

  /// The public key of the peer that sent it, as its connection proved; `nil` without security.
  package internal(set) var user: String?

  /// The envelope.
  package var header: Frame

  /// Bulk data, forwarded without a look inside.
  package var payload: Frame?

  package init(
    routingID: [UInt8]? = nil, header: consuming Frame, payload: consuming Frame? = nil
  ) {
    self.routingID = routingID
    self.header = header
    self.payload = payload
  }
}

/// What became of a message that was to be sent.
package enum SendResult: Sendable {
  /// libzmq has the message. That is no promise of delivery: a connection that drops takes what
  /// was in flight with it.
  case sent

  /// No peer has room (or none is connected): nothing was queued.
  case wouldBlock

  /// A ROUTER knows no peer of that routing id: nothing was queued.
  case unroutable
}
