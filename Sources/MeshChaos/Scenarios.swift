internal import Glibc

extension ChaosScenario {
  /// Every scenario that needs no container, in the order of the matrix: minutes on two cores.
  package static let quick: [ChaosScenario] =
    losses + lossesOfMany + pauses + partitions + links + corruption + disks + checkpoints + clocks
    + coordinators + hardTimes + calls

  /// Whether a pattern means it: a matrix id such as C6, or a pattern as in a shell.
  package func matches(_ pattern: String) -> Bool {
    matrix == pattern || fnmatch(pattern, title, 0) == 0
  }

  /// What it needs and this machine doesn't have.
  package var missing: [Requirement] {
    Requirement.allCases.filter { requirements.contains($0) && !$0.isMet }
  }
}

extension ChaosScenario.Requirement {
  var isMet: Bool {
    switch self {
    case .root: getuid() == 0
    }
  }
}

extension ChaosMesh.Equipment {
  /// Makes a process fail by itself, once, at a named place of its code.
  static func failpoint(_ text: String, for member: MeshMember?) -> ChaosMesh.Equipment {
    ChaosMesh.Equipment(["ATTNMESH_FAILPOINT": text], for: member, isForAllStarts: false)
  }
}
