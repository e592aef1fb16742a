import Glibc
import Testing
import ZeroMQ

extension ZeroMQTests {
  @Suite struct RoundTrips {
    let directory: TemporaryDirectory
    let context: Context

    init() throws {
      directory = try TemporaryDirectory()
      context = try Context()
    }

    private func roundTrip(_ endpoint: String) throws {
      let pair = try Pair(endpoint, context: context)
      let large = [UInt8](repeating: 7, count: 100_000)
      try pair.dealer.sendWhenWritable("request", payload: large)
      let request = try pair.router.receiveMessage()
      #expect(Content(request) == Content("dealer", Array("request".utf8), large))

      // The received message goes straight back: frames are forwarded, not rebuilt.
      #expect(try pair.router.socket.send(request) == .sent)
      #expect(try pair.dealer.receiveContent() == Content(nil, Array("request".utf8), large))
    }

    @Test("a message and its answer cross ipc")
    func ipc() throws {
      try roundTrip("ipc://\(directory.path)/socket")
    }

    @Test("a message and its answer cross loopback TCP on a port that the system chose")
    func tcp() throws {
      try roundTrip("tcp://127.0.0.1:*")
    }

    @Test("a message and its answer cross inproc")
    func inproc() throws {
      try roundTrip("inproc://round-trip")
    }

    @Test("binding returns the port in use")
    func actualEndpoint() throws {
      let socket = try Socket(.router, context: context, options: options())
      let endpoint = try socket.bind("tcp://127.0.0.1:*")
      #expect(endpoint.hasPrefix("tcp://127.0.0.1:"))
      #expect(!endpoint.hasSuffix("*"))
    }

    @Test("a taken address is an error with operation, endpoint and reason in one line")
    func takenAddress() throws {
      let first = try Socket(.router, context: context, options: options())
      let second = try Socket(.router, context: context, options: options())
      let endpoint = try first.bind("tcp://127.0.0.1:*")
      let expected = ZeroMQError(code: EADDRINUSE, operation: "zmq_bind", endpoint: endpoint)
      #expect(throws: expected) { _ = try second.bind(endpoint) }
      #expect(
        expected.description == "zmq_bind \(endpoint): Address already in use (\(EADDRINUSE))")
    }

    @Test("a refused option is an error and leaves no socket behind")
    func refusedOption() throws {
      var long = options()
      long.routingID = [UInt8](repeating: 1, count: 256)
      let refused = long
      #expect(throws: ZeroMQError(code: EINVAL, operation: "zmq_setsockopt")) {
        _ = try Socket(.dealer, context: context, options: refused)
      }
    }

    @Test("unbinding frees the address")
    func unbind() throws {
      let pair = try Pair("tcp://127.0.0.1:*", context: context)
      let monitor = try SocketMonitor(pair.router)
      try pair.router.socket.unbind(pair.endpoint)
      _ = try monitor.wait(for: .closed)
      let next = try Socket(.router, context: context, options: options())
      #expect(try next.bind(pair.endpoint) == pair.endpoint)
    }

    @Test("a disconnected DEALER has nowhere to send")
    func disconnect() throws {
      let pair = try Pair("tcp://127.0.0.1:*", context: context)
      try pair.dealer.socket.disconnect(pair.endpoint)
      let deadline = MonotonicClock.now + patience
      while try pair.dealer.socket.send(Message(header: Frame([1]))) == .sent {
        try #require(MonotonicClock.now < deadline, "it is still connected")
      }
      #expect(throws: ZeroMQError.self) { try pair.dealer.socket.disconnect(pair.endpoint) }
    }
  }
}
