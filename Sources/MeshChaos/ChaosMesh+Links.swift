/// Faults on connections. A link between two members is every connection that one of them opened to
/// the other, through whatever socket.
extension ChaosMesh {
  /// Puts faults on all links between two groups. `toTarget` is what goes from the first group to the
  /// second, whoever opened the connection.
  package func set(
    _ schedule: ProxySchedule, between group: [MeshMember], and others: [MeshMember]
  ) {
    forEachPair(group, others) { member, other in
      for proxy in proxies[other] ?? [] { proxy.set(schedule, from: "\(member)") }
      for proxy in proxies[member] ?? [] { proxy.set(schedule.reversed, from: "\(other)") }
    }
  }

  /// Breaks all connections between two groups.
  package func reset(between group: [MeshMember], and others: [MeshMember]) {
    forEachPair(group, others) { member, other in
      for proxy in proxies[other] ?? [] { proxy.reset(from: "\(member)") }
      for proxy in proxies[member] ?? [] { proxy.reset(from: "\(other)") }
    }
  }

  /// Takes all faults away.
  package func heal() {
    for member in members {
      for proxy in proxies.values.joined() { proxy.set(.pass, from: "\(member)") }
    }
  }

  private func forEachPair(
    _ group: [MeshMember], _ others: [MeshMember], _ body: (MeshMember, MeshMember) -> Void
  ) {
    precondition(!proxies.isEmpty, "this mesh has no proxies")
    var seen: Set<Set<MeshMember>> = []
    for member in group {
      for other in others where member != other && seen.insert([member, other]).inserted {
        body(member, other)
      }
    }
  }
}

extension LinkFaults {
  /// The same, seen from the other side.
  var reversed: LinkFaults {
    var faults = self
    (faults.toTarget, faults.toSource) = (toSource, toTarget)
    return faults
  }
}
