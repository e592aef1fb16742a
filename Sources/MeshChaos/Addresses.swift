internal import MeshRuntime
internal import Synchronization

/// Ports of a mesh: the same as long as it lives, whoever dies in between.
struct Addresses {
  /// Places beyond those that are filled at the start, for others to come.
  private static let spareWorkers = 4

  let coordinator: Int
  private(set) var workers: [MeshMember: Int] = [:]
  private var ports = LoopbackPorts()

  init(_ configuration: ChaosMesh.Configuration) throws(MeshError) {
    // Its data socket stands one port further.
    coordinator = try ports.take(2)
    for number in 1...configuration.workers + Self.spareWorkers {
      workers[.worker(number)] = try ports.take(1)
    }
  }

  /// A proxy before every listener. The coordinator's are side by side as it expects.
  func makeProxies(
    _ configuration: ChaosMesh.Configuration, owners: Owners
  ) throws(MeshError) -> [MeshMember: [FaultProxy]] {
    guard configuration.isProxied else { return [:] }
    var ports = ports
    var seed = configuration.seed
    func proxy(to target: Int, port: Int) throws(MeshError) -> FaultProxy {
      seed &+= 1
      return try FaultProxy(to: target, port: port, seed: seed) { owners.sender(withPort: $0) }
    }
    let first = try ports.take(2)
    var proxies: [MeshMember: [FaultProxy]] = [
      .coordinator: [
        try proxy(to: coordinator, port: first), try proxy(to: coordinator + 1, port: first + 1),
      ]
    ]
    for (member, port) in workers.sorted(by: { $0.key < $1.key }) {
      proxies[member] = [try proxy(to: port, port: ports.take(1))]
    }
    return proxies
  }
}

/// Which place a process is in, for proxies that ask who connects.
final class Owners: Sendable {
  private let members = Mutex<[Int32: MeshMember]>([:])

  func set(_ process: Int32, _ member: MeshMember) {
    members.withLock { members in
      for old in members.filter({ $0.value == member }).keys { members[old] = nil }
      members[process] = member
    }
  }

  func sender(withPort port: Int) -> String? {
    let members = members.withLock { $0 }
    return ConnectionOwner.process(withPort: port, among: members.keys.sorted())
      .flatMap { members[$0].map(\.description) }
  }
}
