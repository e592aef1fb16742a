/// What a socket is set to before it binds or connects.
///
/// The three bounds have no default: each caller knows its messages. The rest is chosen so that
/// nothing hangs at shutdown, queues for a peer that is not there, or is dropped in silence.
package struct SocketOptions: Sendable {
  /// Whole messages queued per peer before a send would block. libzmq adds the two ends up over
  /// inproc, and the kernel's buffers come on top elsewhere.
  package var sendHighWaterMark: Int

  /// Whole messages queued per peer before libzmq stops reading from it.
  package var receiveHighWaterMark: Int

  /// A peer that sends a frame longer than this is disconnected. The bound is per frame: it does
  /// not limit how many frames make a message.
  package var maximumFrameBytes: Int

  /// The name a DEALER goes by at the ROUTER, 1 to 255 bytes, the first not zero.
  ///
  /// A ROUTER does not serve a second connection under the name of a live one and tells neither
  /// side, so each new socket needs a new name.
  package var routingID: [UInt8]?

  /// How long closing a socket may wait for unsent messages.
  package var linger: Duration = .zero

  /// Whether a ROUTER reports a send that has nowhere to go, instead of dropping it.
  package var reportsUnroutable = true

  /// Whether a new connection takes over the routing id of a live one.
  package var allowsHandover = false

  /// Whether messages queue only for peers whose connection is complete.
  package var queuesOnlyToConnected = true

  /// Longest ZMTP handshake; a stranger that stalls in it holds memory for this long.
  package var handshakeTimeout: Duration = .seconds(2)

  /// Longest wait for a TCP connection to be established.
  package var connectTimeout: Duration = .seconds(1)

  /// First delay before connecting again; it doubles up to `reconnectIntervalMaximum`.
  package var reconnectInterval: Duration = .milliseconds(20)

  /// Longest delay before connecting again.
  package var reconnectIntervalMaximum: Duration = .seconds(1)

  /// Time between ZMTP pings; zero turns them off.
  package var heartbeatInterval: Duration = .milliseconds(500)

  /// How long a peer may stay silent before its connection is cut.
  ///
  /// Only a complete frame counts as a sign of life: a frame must never take this long.
  package var heartbeatTimeout: Duration = .seconds(5)

  /// The timeout that this side asks its peer to apply, in steps of 100 ms.
  package var heartbeatTTL: Duration = .seconds(5)

  /// How long TCP may retransmit without an acknowledgement.
  package var retransmissionTimeout: Duration = .seconds(5)

  /// Whether it binds and connects to IPv6 addresses; names are looked up as such, then, and one that
  /// listens at every IPv6 address also listens at every IPv4 one.
  package var usesIPv6 = false

  /// How the socket knows its peers.
  package var security = SocketSecurity.none

  /// Size of the kernel's send buffer in bytes; `nil` leaves it to the system.
  package var sendBufferBytes: Int?

  /// Size of the kernel's receive buffer in bytes; `nil` leaves it to the system.
  package var receiveBufferBytes: Int?

  package init(sendHighWaterMark: Int, receiveHighWaterMark: Int, maximumFrameBytes: Int) {
    // Zero and -1 mean "unlimited" to libzmq.
    precondition(sendHighWaterMark > 0, "the send high-water mark must be a bound")
    precondition(receiveHighWaterMark > 0, "the receive high-water mark must be a bound")
    precondition(maximumFrameBytes > 0, "the frame size must be a bound")
    self.sendHighWaterMark = sendHighWaterMark
    self.receiveHighWaterMark = receiveHighWaterMark
    self.maximumFrameBytes = maximumFrameBytes
  }
}
