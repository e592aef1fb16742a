import Testing
import ZeroMQ

extension ZeroMQTests {
  @Suite struct DuplicateRoutingIDs {
    /// What libzmq does, and why each connection needs a routing id of its own.
    @Test("a second connection under a live routing id is never heard, even after the first left")
    func duplicate() throws {
      let context = try Context()
      let pair = try Pair("tcp://127.0.0.1:*", context: context)
      let monitor = try SocketMonitor(pair.router)
      let second = try OwnedSocket(
        .dealer, context: context, options: options(routingID: "dealer"))
      try second.socket.connect(pair.endpoint)
      try second.sendWhenWritable("from the second", payload: [1])
      #expect(try pair.router.staysSilent())

      try pair.dealer.sendWhenWritable("from the first")
      #expect(try pair.router.receiveText() == ("dealer", "from the first"))
      pair.dealer.socket = try Socket(.dealer, context: context, options: options())
      _ = try monitor.wait(for: .disconnected)
      try second.sendWhenWritable("from the second again", payload: [1])
      #expect(try pair.router.staysSilent())
      #expect(
        try pair.router.socket.send(
          Message(routingID: Array("dealer".utf8), header: Frame([1]))) == .unroutable)
    }

    @Test("the same peer under a new routing id is heard at once")
    func newName() throws {
      let context = try Context()
      let pair = try Pair("tcp://127.0.0.1:*", context: context)
      let second = try OwnedSocket(
        .dealer, context: context, options: options(routingID: "dealer.2"))
      try second.socket.connect(pair.endpoint)
      try second.sendWhenWritable("heard")
      #expect(try pair.router.receiveText() == ("dealer.2", "heard"))
    }
  }
}
