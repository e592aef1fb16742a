internal import CZeroMQ

extension SocketOptions {
  /// Sets every option on a socket that has neither bound nor connected yet.
  ///
  /// - Throws: `EINVAL` for a value that libzmq refuses.
  func apply(to handle: UnsafeMutableRawPointer, kind: Socket.Kind) throws(ZeroMQError) {
    try set(handle, ZMQ_LINGER, linger.wholeMilliseconds)
    try set(handle, ZMQ_SNDHWM, Int32(clamping: sendHighWaterMark))
    try set(handle, ZMQ_RCVHWM, Int32(clamping: receiveHighWaterMark))
    try set(handle, ZMQ_MAXMSGSIZE, Int64(maximumFrameBytes))
    try set(handle, ZMQ_IMMEDIATE, flag(queuesOnlyToConnected))
    try set(handle, ZMQ_HANDSHAKE_IVL, handshakeTimeout.wholeMilliseconds)
    try set(handle, ZMQ_CONNECT_TIMEOUT, connectTimeout.wholeMilliseconds)
    try set(handle, ZMQ_RECONNECT_IVL, reconnectInterval.wholeMilliseconds)
    try set(handle, ZMQ_RECONNECT_IVL_MAX, reconnectIntervalMaximum.wholeMilliseconds)
    try set(handle, ZMQ_HEARTBEAT_IVL, heartbeatInterval.wholeMilliseconds)
    try set(handle, ZMQ_HEARTBEAT_TIMEOUT, heartbeatTimeout.wholeMilliseconds)
    try set(handle, ZMQ_HEARTBEAT_TTL, heartbeatTTL.wholeMilliseconds)
    try set(handle, ZMQ_TCP_MAXRT, retransmissionTimeout.wholeMilliseconds)
    try set(handle, ZMQ_IPV6, flag(usesIPv6))
    if let sendBufferBytes {
      try set(handle, ZMQ_SNDBUF, Int32(clamping: sendBufferBytes))
    }
    if let receiveBufferBytes {
      try set(handle, ZMQ_RCVBUF, Int32(clamping: receiveBufferBytes))
    }
    if kind == .router {
      try set(handle, ZMQ_ROUTER_MANDATORY, flag(reportsUnroutable))
      try set(handle, ZMQ_ROUTER_HANDOVER, flag(allowsHandover))
    }
    try applySecurity(to: handle)
    if let routingID {
      // zmq_setsockopt: 0, or -1 with EINVAL, ETERM, ENOTSOCK, EINTR.
      try check("zmq_setsockopt") {
        zmq_setsockopt(handle, ZMQ_ROUTING_ID, routingID, routingID.count)
      }
    }
  }

  private func applySecurity(to handle: UnsafeMutableRawPointer) throws(ZeroMQError) {
    switch security {
    case .none: return
    case .server(let keys):
      try set(handle, ZMQ_CURVE_SERVER, flag(true))
      try set(handle, ZMQ_CURVE_SECRETKEY, keys.secretKey)
    case .client(let keys, let serverKey):
      try set(handle, ZMQ_CURVE_SERVERKEY, serverKey)
      try set(handle, ZMQ_CURVE_PUBLICKEY, keys.publicKey)
      try set(handle, ZMQ_CURVE_SECRETKEY, keys.secretKey)
    }
    try set(handle, ZMQ_ZAP_DOMAIN, Authenticator.domain)
    // Without it libzmq admits everybody when nobody answers for the domain.
    try set(handle, ZMQ_ZAP_ENFORCE_DOMAIN, flag(true))
  }

  private func set(
    _ handle: UnsafeMutableRawPointer, _ option: Int32, _ text: String
  ) throws(ZeroMQError) {
    // zmq_setsockopt: 0, or -1 with EINVAL, ETERM, ENOTSOCK, EINTR.
    try check("zmq_setsockopt") { zmq_setsockopt(handle, option, text, text.utf8.count) }
  }

  private func flag(_ value: Bool) -> Int32 { value ? 1 : 0 }

  private func set<Value: FixedWidthInteger>(
    _ handle: UnsafeMutableRawPointer, _ option: Int32, _ value: Value
  ) throws(ZeroMQError) {
    // zmq_setsockopt: 0, or -1 with EINVAL, ETERM, ENOTSOCK, EINTR.
    try check("zmq_setsockopt") {
      withUnsafeBytes(of: value) { zmq_setsockopt(handle, option, $0.baseAddress, $0.count) }
    }
  }
}

extension Duration {
  /// Milliseconds, rounded up, within what a C `int` holds: rounding down would turn the last
  /// fraction of a wait into a busy loop.
  var wholeMilliseconds: Int32 {
    let (seconds, attoseconds) = components
    let (product, overflow) = seconds.multipliedReportingOverflow(by: 1000)
    if overflow { return seconds < 0 ? 0 : .max }
    let fraction = (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
    let (sum, overflowed) = product.addingReportingOverflow(fraction)
    return overflowed ? .max : Int32(clamping: max(0, sum))
  }
}
