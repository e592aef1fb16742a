import Testing
import ZeroMQ

extension ZeroMQTests {
  @Suite struct Monitors {
    let context: Context

    init() throws {
      context = try Context()
    }

    @Test("both sides see the connection come, and the listener sees its peer go")
    func lifeOfConnection() throws {
      let router = try OwnedSocket(.router, context: context, options: options())
      let routerMonitor = try SocketMonitor(router)
      let endpoint = try router.socket.bind("tcp://127.0.0.1:*")
      #expect(try routerMonitor.wait(for: .listening).endpoint == endpoint)
      do {
        let dealer = try OwnedSocket(.dealer, context: context, options: options())
        let dealerMonitor = try SocketMonitor(dealer)
        try dealer.socket.connect(endpoint)
        #expect(try dealerMonitor.wait(for: .connected).endpoint == endpoint)
        _ = try dealerMonitor.wait(for: .handshakeSucceeded)
        _ = try routerMonitor.wait(for: .accepted)
        _ = try routerMonitor.wait(for: .handshakeSucceeded)
      }
      _ = try routerMonitor.wait(for: .disconnected)
    }

    @Test("a client sees its server go and come back")
    func serverRestart() throws {
      let dealer = try OwnedSocket(.dealer, context: context, options: options())
      let monitor = try SocketMonitor(dealer)
      let endpoint: String
      do {
        let router = try OwnedSocket(.router, context: context, options: options())
        endpoint = try router.socket.bind("tcp://127.0.0.1:*")
        try dealer.socket.connect(endpoint)
        _ = try monitor.wait(for: .handshakeSucceeded)
      }
      _ = try monitor.wait(for: .disconnected)
      _ = try monitor.wait(for: .connectRetried)
      #expect(try dealer.socket.send(Message(header: Frame([1]))) == .wouldBlock)
      let router = try OwnedSocket(.router, context: context, options: options())
      _ = try router.socket.bind(endpoint)
      _ = try monitor.wait(for: .handshakeSucceeded)
      try dealer.sendWhenWritable("again")
      #expect(try router.receiveText().text == "again")
    }

    @Test("a monitor stops first, whatever is dropped first, and a socket can have another")
    func order() throws {
      for _ in 0..<20 {
        let pair = try Pair("tcp://127.0.0.1:*", context: context)
        var first: SocketMonitor? = try SocketMonitor(pair.router)
        #expect(try first?.next() == nil)
        first = nil
        let second = try SocketMonitor(pair.router)
        pair.dealer.socket = try Socket(.dealer, context: context, options: options())
        _ = try second.wait(for: .disconnected)
      }
    }
  }
}
