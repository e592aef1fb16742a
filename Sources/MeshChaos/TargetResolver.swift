internal import MeshCore
internal import MeshRuntime

/// Finds out who is meant by a target, from what the job's status has told so far.
struct TargetResolver {
  /// Hosts of the virtual ranks as the job started, each once.
  private(set) var ring: [MeshMember] = []
  /// The host of each virtual rank as the job started, and now.
  private var firstHosts: [MeshMember] = []
  private var hosts: [MeshMember] = []
  private var hitHosts: [MeshMember] = []
  private(set) var lastHit: [MeshMember] = []

  mutating func take(_ status: JobStatus) {
    hosts = status.ranks.compactMap { MeshMember(workerName: $0.worker) }
    guard firstHosts.isEmpty, !hosts.isEmpty else { return }
    firstHosts = hosts
    for host in hosts where !ring.contains(host) { ring.append(host) }
  }

  /// Members that are hit now: what `heir` and `same` are about from here on.
  mutating func hit(_ members: [MeshMember]) {
    lastHit = members
    hitHosts = hosts
  }

  /// Whether everybody that a step is about is known by now: who takes over is told a moment later
  /// than that somebody has.
  func canFindAll(in step: ChaosStep) -> Bool {
    let needsHeir = step.actions.contains { $0.targets.contains(.heir) }
    return !needsHeir || (try? heir()) != nil
  }

  /// - Throws: there is nobody like that yet.
  func members(
    _ targets: [ChaosTarget], of mesh: ChaosMesh, besides others: [ChaosTarget] = []
  ) throws(MeshError) -> [MeshMember] {
    var members: [MeshMember] = []
    for target in targets {
      for member in try self.members(target, of: mesh, besides: others)
      where !members.contains(member) { members.append(member) }
    }
    return members
  }

  private func members(
    _ target: ChaosTarget, of mesh: ChaosMesh, besides others: [ChaosTarget]
  ) throws(MeshError) -> [MeshMember] {
    switch target {
    case .coordinator: return [.coordinator]
    case .worker(let number): return [.worker(number)]
    case .ring(let place): return [try member(ofRing: place)]
    case .holder(let place): return [try holder(ofRing: place)]
    case .heir: return [try heir()]
    case .same: return lastHit
    case .everyWorker: return mesh.livingWorkers
    case .everyoneElse:
      let named = try members(others.filter { $0 != .everyoneElse }, of: mesh)
      return mesh.members.filter { !named.contains($0) }
    }
  }

  private func member(ofRing place: Int) throws(MeshError) -> MeshMember {
    guard !ring.isEmpty else { throw MeshError(.jobFailed, "the job has no ring yet") }
    return ring[((place % ring.count) + ring.count) % ring.count]
  }

  private func holder(ofRing place: Int) throws(MeshError) -> MeshMember {
    let member = try member(ofRing: place)
    guard let first = firstHosts.firstIndex(of: member) else {
      throw MeshError(.jobFailed, "\(member) hosts nothing")
    }
    let others = firstHosts[first...] + firstHosts[..<first]
    guard let holder = others.first(where: { $0 != member }) else {
      throw MeshError(.jobFailed, "nobody but \(member) hosts anything")
    }
    return holder
  }

  private func heir() throws(MeshError) -> MeshMember {
    for (old, new) in zip(hitHosts, hosts) where lastHit.contains(old) && !lastHit.contains(new) {
      return new
    }
    throw MeshError(.jobFailed, "nobody has taken over yet")
  }
}
