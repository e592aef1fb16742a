internal import ZeroMQ

/// Proves at the start that a socket keeps out whom it doesn't know. libzmq admits everybody when the
/// authenticator is missing or an option is, without a word; so the socket itself is tried.
package enum SecuritySelfTest {
  /// Connects with a key that isn't known, and with one that is for the moment.
  ///
  /// - Parameters:
  ///   - endpoint: of a socket that is bound.
  ///   - setProbe: admits a key in addition to those that are; none with nil.
  /// - Throws: what is wrong; nothing may be served then.
  package static func run(
    _ endpoint: String, serverKey: String, patience: Duration = .seconds(10),
    setProbe: (String?) -> Void
  ) throws(MeshError) {
    do throws(ZeroMQError) {
      let (stranger, probe) = (try CurveKeyPair.make(), try CurveKeyPair.make())
      setProbe(probe.publicKey)
      defer { setProbe(nil) }
      let isProbeIn = try isAdmitted(probe, endpoint, serverKey, patience)
      guard isProbeIn == true else {
        throw ZeroMQError(code: 0, operation: "a known key isn't admitted", endpoint: endpoint)
      }
      guard try isAdmitted(stranger, endpoint, serverKey, min(patience, .seconds(2))) != true else {
        throw ZeroMQError(code: 0, operation: "an unknown key is admitted", endpoint: endpoint)
      }
    } catch {
      let place = error.endpoint.map { " at \($0)" } ?? ""
      throw MeshError(
        .badInput,
        "the security self-test failed: \(error.operation)\(place); nothing is served. Is libzmq"
          + " built with CURVE?")
    }
  }

  /// Whether a handshake with a key succeeds; nil when nothing was heard.
  private static func isAdmitted(
    _ keys: CurveKeyPair, _ endpoint: String, _ serverKey: String, _ patience: Duration
  ) throws(ZeroMQError) -> Bool? {
    var options = Sockets.control
    options.security = .client(keys, serverKey: serverKey)
    let socket = try OwnedSocket(.dealer, context: try Context(), options: options)
    let monitor = try SocketMonitor(socket)
    try socket.socket.connect(reachable(endpoint))
    var poller = Poller()
    poller.watch(monitor.socket)
    let end = MonotonicClock.now + patience
    while MonotonicClock.now < end {
      try poller.wait(upTo: max(.zero, end - MonotonicClock.now))
      while let event = try monitor.next() {
        switch event.kind {
        case .handshakeSucceeded: return true
        case .handshakeFailed: return false
        // Dropped in mid-handshake.
        case .disconnected: return false
        default: break
        }
      }
    }
    return nil
  }

  /// An address at which this machine reaches a socket that listens on all of its addresses.
  private static func reachable(_ endpoint: String) -> String {
    for (any, loopback) in [
      ("tcp://0.0.0.0:", "tcp://127.0.0.1:"), ("tcp://[::]:", "tcp://[::1]:"),
    ]
    where endpoint.hasPrefix(any) {
      return loopback + endpoint.dropFirst(any.count)
    }
    return endpoint
  }
}
