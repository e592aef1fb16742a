internal import Foundation
internal import MeshCore
internal import MeshRuntime

/// Does to a mesh what a scenario says.
struct ChaosPerformer {
  let mesh: ChaosMesh

  /// - Parameter effects: what goes on until it is stopped.
  func perform(
    _ action: ChaosAction, resolver: inout TargetResolver, effects: inout [Repetition],
    random: inout SplitMix64
  ) throws(MeshError) {
    switch action {
    case .kill(let targets): mesh.kill(try hit(targets, &resolver))
    case .pause(let targets): mesh.pause(try hit(targets, &resolver))
    case .drain(let targets): mesh.drain(try hit(targets, &resolver))
    case .resume(let targets): mesh.resume(try resolver.members(targets, of: mesh))
    case .start(let targets):
      for member in try resolver.members(targets, of: mesh) { try mesh.start(member) }
    case .link(let schedule, let group, let others):
      let (group, others) = try groups(group, others, resolver)
      mesh.set(schedule, between: group, and: others)
    case .reset(let group, let others):
      let (group, others) = try groups(group, others, resolver)
      mesh.reset(between: group, and: others)
    case .heal: mesh.heal()
    case .damage(let damage):
      guard try damage.apply(to: mesh.checkpoints, random: &random) > 0 else {
        throw MeshError(.jobFailed, "there are no checkpoints to damage")
      }
    case .fill(let disk): ChaosDisk.fill(path(disk))
    case .free(let disk): ChaosDisk.free(path(disk))
    case .straggle(let targets, let run, let stop):
      for member in try hit(targets, &resolver) {
        effects.append(try straggle(member, run: run, stop: stop))
      }
    case .burden(let threads):
      for _ in 0..<threads { effects.append(try Repetition(name: "burden", nice: 10) {}) }
    case .relieve:
      for effect in effects { effect.stop() }
      effects = []
    }
  }

  private func hit(
    _ targets: [ChaosTarget], _ resolver: inout TargetResolver
  ) throws(MeshError) -> [MeshMember] {
    let members = try resolver.members(targets, of: mesh)
    resolver.hit(members)
    return members
  }

  private func groups(
    _ group: [ChaosTarget], _ others: [ChaosTarget], _ resolver: TargetResolver
  ) throws(MeshError) -> ([MeshMember], [MeshMember]) {
    (
      try resolver.members(group, of: mesh, besides: others),
      try resolver.members(others, of: mesh, besides: group)
    )
  }

  private func path(_ disk: ChaosDisk) -> String {
    disk == .store ? mesh.store : mesh.checkpoints
  }

  private func straggle(
    _ member: MeshMember, run: Duration, stop: Duration
  ) throws(MeshError) -> Repetition {
    guard let process = mesh.processes[member] else {
      throw MeshError(.jobFailed, "\(member) isn't there")
    }
    return try Repetition(name: "straggle", ending: { process.signal(SIGCONT) }) {
      process.signal(SIGSTOP)
      sleep(for: stop)
      process.signal(SIGCONT)
      sleep(for: run)
    }
  }
}

private func sleep(for duration: Duration) {
  usleep(UInt32(duration / .microseconds(1)))
}
