import Synchronization
import Testing
import ZeroMQ

extension ZeroMQTests {
  /// Whom a socket with keys lets in.
  @Suite struct Curve {
    /// What is answered to which key; everybody else is refused.
    private final class Guest: Sendable {
      let answers = Mutex<[String: Authenticator.Answer]>([:])
      subscript(key: String) -> Authenticator.Answer {
        get { answers.withLock { $0[key] ?? .refuse } }
        set { answers.withLock { $0[key] = newValue } }
      }
    }

    private let guests = Guest()
    private let keys: CurveKeyPair

    init() throws { keys = try CurveKeyPair.make() }

    private func options(_ security: SocketSecurity) -> SocketOptions {
      var options = SocketOptions(
        sendHighWaterMark: 16, receiveHighWaterMark: 16, maximumFrameBytes: 1 << 20)
      options.security = security
      return options
    }

    /// A ROUTER with keys, and who answers for it.
    private func serve(
      _ context: Context, isGuarded: Bool = true
    ) throws -> (OwnedSocket, Authenticator?, String) {
      let authenticator = isGuarded ? try Authenticator(context) { [guests] in guests[$0] } : nil
      let router = try OwnedSocket(.router, context: context, options: options(.server(keys)))
      return (router, authenticator, try router.socket.bind("tcp://127.0.0.1:*"))
    }

    private func dial(
      _ endpoint: String, _ guest: CurveKeyPair, serverKey: String? = nil
    ) throws -> (OwnedSocket, SocketMonitor) {
      let security = SocketSecurity.client(guest, serverKey: serverKey ?? keys.publicKey)
      let dealer = try OwnedSocket(.dealer, context: Context(), options: options(security))
      let monitor = try SocketMonitor(dealer)
      try dealer.socket.connect(endpoint)
      return (dealer, monitor)
    }

    @Test("messages carry the key that their connection proved")
    func user() throws {
      let (router, authenticator, endpoint) = try serve(Context())
      for _ in 0..<2 {
        let guest = try CurveKeyPair.make()
        guests[guest.publicKey] = .admit
        let (dealer, _) = try dial(endpoint, guest)
        try dealer.sendWhenWritable("hello", payload: [UInt8](repeating: 7, count: 100_000))
        let message = try router.receiveMessage()
        #expect(message.user == guest.publicKey)
      }
      authenticator?.stop()
    }

    @Test("a key that is refused hears so, and one that isn't known yet is let in later")
    func refusal() throws {
      let (router, authenticator, endpoint) = try serve(Context())
      let (_, refused) = try dial(endpoint, .make())
      _ = try refused.wait(for: .handshakeFailed(.refused))
      let guest = try CurveKeyPair.make()
      guests[guest.publicKey] = .notYet
      let (dealer, monitor) = try dial(endpoint, guest)
      _ = try monitor.wait(for: .connectRetried)
      guests[guest.publicKey] = .admit
      try dealer.sendWhenWritable("later")
      #expect(try router.receiveText().text == "later")
      authenticator?.stop()
    }

    @Test("without anybody to answer for it, the socket admits nobody")
    func unguarded() throws {
      let (router, _, endpoint) = try serve(Context(), isGuarded: false)
      let (_, monitor) = try dial(endpoint, .make())
      _ = try monitor.wait(for: .connectRetried)
      #expect(try router.staysSilent())
    }

    @Test("a peer without keys is told apart from one with other keys")
    func mechanism() throws {
      let (router, authenticator, endpoint) = try serve(Context())
      let dealer = try OwnedSocket(.dealer, context: Context(), options: options(.none))
      let monitor = try SocketMonitor(dealer)
      try dealer.socket.connect(endpoint)
      try withExtendedLifetime(router) {
        _ = try monitor.wait(for: .handshakeFailed(.otherMechanism))
      }
      authenticator?.stop()
    }

    @Test("who took another for the server gets nothing across")
    func impostor() throws {
      let (router, authenticator, endpoint) = try serve(Context())
      let guest = try CurveKeyPair.make()
      guests[guest.publicKey] = .admit
      let (dealer, _) = try dial(endpoint, guest, serverKey: CurveKeyPair.make().publicKey)
      #expect(try router.staysSilent())
      #expect(try dealer.socket.send(Message(header: Frame([1]))) == .wouldBlock)
      authenticator?.stop()
    }

    @Test("keys are what libzmq takes for keys")
    func texts() throws {
      #expect(CurveKeyPair(secretKey: keys.secretKey) == keys)
      #expect(CurveKeyPair.isKey(keys.publicKey) && !CurveKeyPair.isKey(keys.publicKey + "0"))
      for text in [
        "", "short", String(repeating: "#", count: 40), String(repeating: "~", count: 40),
      ] {
        #expect(!CurveKeyPair.isKey(text) && CurveKeyPair(secretKey: text) == nil, "\(text)")
      }
    }
  }
}
