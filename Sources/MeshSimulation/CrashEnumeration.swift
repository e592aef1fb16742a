package import MeshCore

/// Every place at which a process of a small job can die.
package struct CrashEnumeration: Sendable {
  package let seed: UInt64
  /// What the job is; what has computed tiles nothing but memory protects.
  private let kind: JobShapes.Kind
  private let defect: Defect?

  package init(seed: UInt64, kind: JobShapes.Kind = .attention, defect: Defect? = nil) {
    self.seed = seed
    self.kind = kind
    self.defect = defect
  }

  /// Effects of a run in which nobody dies.
  package var effectCount: Int {
    let options = SimulationOptions.crashing(seed: seed, kind: kind)
    return Simulation(options, job: JobShapes.small(kind)).run().effectCount
  }

  /// Whoever carries out an effect dies in front of it: each of them once.
  package func singles() -> SimulationCampaign {
    let crashes = (0..<effectCount).map { [SimulationOptions.CrashPoint(effect: $0)] }
    return campaign(crashes)
  }

  private func campaign(_ crashes: [[SimulationOptions.CrashPoint]]) -> SimulationCampaign {
    SimulationCampaign(.crashes(crashes, seed: seed, kind: kind), defect: defect)
  }

  /// A second process dies while the first is recovered from: a sample.
  package func doubles(count: Int) -> SimulationCampaign {
    let effects = effectCount
    var chance = Chance(seed: seed, branch: 9)
    let crashes = (0..<count).map { _ in
      let first = chance.below(effects)
      let second = first + 1 + chance.logarithmic(1, 1_024)
      return [first, second].map { SimulationOptions.CrashPoint(effect: $0) }
    }
    return campaign(crashes)
  }
}
