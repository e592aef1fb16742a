package import MeshCore
internal import Synchronization
package import ZeroMQ

/// What a worker or a client has to use a mesh with keys: its own, and the key that the coordinator
/// has to prove.
package struct MeshCredentials: Sendable {
  package let keys: CurveKeyPair
  package let coordinatorKey: PublicKey

  package init(keys: CurveKeyPair, coordinatorKey: PublicKey) {
    self.keys = keys
    self.coordinatorKey = coordinatorKey
  }

  /// Security of a socket that connects to the coordinator.
  var toCoordinator: SocketSecurity { .client(keys, serverKey: coordinatorKey.text) }

  /// Security of a socket that connects to another worker; none for a worker without a key, which a
  /// coordinator with keys never names.
  func toPeer(_ key: PublicKey?) -> SocketSecurity? {
    key.map { .client(keys, serverKey: $0.text) }
  }
}

/// Who may use a worker's data socket: the coordinator, which watches over its connection, and the
/// workers of its present job, as the coordinator told them.
final class PeerGate: Sendable {
  private let coordinator: String
  private let peers = Mutex<Set<String>>([])
  private let probe = Mutex<String?>(nil)

  init(coordinator: PublicKey) { self.coordinator = coordinator.text }

  func setPeers(_ keys: [PublicKey]) { peers.withLock { $0 = Set(keys.map(\.text)) } }

  func setProbe(_ key: String?) { probe.withLock { $0 = key } }

  /// Whether a message is looked at.
  func isPeer(_ user: String?) -> Bool {
    guard let user else { return false }
    return peers.withLock { $0.contains(user) }
  }

  /// A peer may know of the job before this worker does: it is to try again.
  func answer(_ user: String) -> Authenticator.Answer {
    let isKnown =
      user == coordinator || isPeer(user) || probe.withLock { $0 == user }
    return isKnown ? .admit : .notYet
  }
}
