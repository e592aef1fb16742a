internal import CZeroMQ
internal import Glibc

extension Socket {
  /// Malformed messages skipped by one `receive`: a peer that sends nothing else gets its turn
  /// like everybody and no more.
  private static var dropsPerReceive: Int { 16 }

  /// Sends a message as a whole or not at all, without waiting.
  ///
  /// Only the first frame can be refused: libzmq checks the routing id and the room there. When
  /// the connection dies between two frames, libzmq rolls the message back; that counts as sent,
  /// because it is the same as dying right after the last one.
  ///
  /// - Parameter message: empty afterwards when sent, otherwise untouched. It has a routing id
  ///   at a ROUTER and nowhere else.
  /// - Throws: nothing that can happen to a live socket.
  package borrowing func send(_ message: inout Message) throws(ZeroMQError) -> SendResult {
    let result = try sendOnce(&message)
    if result == .sent { return result }
    // A send looks for news of room and of peers once in a millisecond at most and refuses out
    // of ignorance in between. Asking for the events makes it look: the second answer is true.
    _ = try events
    return try sendOnce(&message)
  }

  private borrowing func sendOnce(
    _ message: inout Message
  ) throws(ZeroMQError) -> SendResult {
    let routed = message.routingID != nil
    precondition(routed == (kind == .router), "a routing id belongs to a ROUTER's messages")
    if let routingID = message.routingID {
      let refusal = try send(routingID: routingID)
      if let refusal { return refusal }
    }
    let headerFlags = message.payload == nil ? 0 : ZMQ_SNDMORE
    let refusal = try send(&message.header, flags: headerFlags)
    if let refusal, !routed { return refusal }
    if message.payload != nil {
      var payload = message.payload.take() ?? Frame()
      _ = try send(&payload, flags: 0)
    }
    message.routingID = nil
    return .sent
  }

  /// Sends a message that is not needed when it cannot be sent.
  package borrowing func send(_ message: consuming Message) throws(ZeroMQError) -> SendResult {
    var message = message
    return try send(&message)
  }

  /// Takes the next message, if there is one.
  ///
  /// A message of more frames than a `Message` has is taken off the queue, dropped and counted in
  /// `oversizedMessages`.
  ///
  /// - Returns: `nil` when nothing is there now, or when only malformed messages came for a
  ///   while; a `Poller` reports the socket readable again if there is more.
  /// - Throws: nothing that can happen to a live socket.
  package mutating func receive() throws(ZeroMQError) -> Message? {
    for _ in 0..<Self.dropsPerReceive {
      var header = Frame()
      guard try receive(into: &header) else { return nil }
      var routingID: [UInt8]?
      if kind == .router {
        routingID = header.copiedBytes()
        try receiveNext(into: &header)
      }
      let user = isServer ? header.user : nil
      guard header.hasMore else {
        var message = Message(routingID: routingID, header: header)
        message.user = user
        return message
      }
      var payload = Frame()
      try receiveNext(into: &payload)
      guard payload.hasMore else {
        var message = Message(routingID: routingID, header: header, payload: payload)
        message.user = user
        return message
      }
      while payload.hasMore { try receiveNext(into: &payload) }
      oversizedMessages += 1
    }
    return nil
  }
}

extension Socket {
  /// Sends the first frame of a ROUTER's message; returns why it was refused, if it was.
  private borrowing func send(routingID: [UInt8]) throws(ZeroMQError) -> SendResult? {
    repeat {
      // zmq_send: bytes, or -1 with EAGAIN, EHOSTUNREACH, EINTR, ENOTSUP, EFSM, ETERM, ENOTSOCK.
      if zmq_send(handle, routingID, routingID.count, ZMQ_DONTWAIT | ZMQ_SNDMORE) >= 0 {
        return nil
      }
    } while zmq_errno() == EINTR
    return try refusal()
  }

  /// Sends one frame, which is empty afterwards unless it was refused.
  private borrowing func send(
    _ frame: inout Frame, flags: Int32
  ) throws(ZeroMQError) -> SendResult? {
    repeat {
      // zmq_msg_send: bytes, or -1 with EAGAIN, EHOSTUNREACH, EINTR, EINVAL, ETERM, EFAULT.
      if zmq_msg_send(&frame.message, handle, ZMQ_DONTWAIT | flags) >= 0 { return nil }
    } while zmq_errno() == EINTR
    return try refusal()
  }

  private borrowing func refusal() throws(ZeroMQError) -> SendResult {
    switch zmq_errno() {
    case EAGAIN: return .wouldBlock
    case EHOSTUNREACH: return .unroutable
    default: throw .last("zmq_msg_send")
    }
  }

  /// Takes the next frame off the queue; `false` when there is none.
  private borrowing func receive(into frame: inout Frame) throws(ZeroMQError) -> Bool {
    repeat {
      // zmq_msg_recv: bytes, or -1 with EAGAIN, EINTR, ENOTSUP, EFSM, ETERM, ENOTSOCK, EFAULT.
      if zmq_msg_recv(&frame.message, handle, ZMQ_DONTWAIT) >= 0 { return true }
    } while zmq_errno() == EINTR
    if zmq_errno() == EAGAIN { return false }
    throw .last("zmq_msg_recv")
  }

  /// Takes a further frame of a message; libzmq delivers whole messages, so it is there.
  private borrowing func receiveNext(into frame: inout Frame) throws(ZeroMQError) {
    guard try receive(into: &frame) else {
      throw ZeroMQError(code: EAGAIN, operation: "zmq_msg_recv")
    }
  }
}
