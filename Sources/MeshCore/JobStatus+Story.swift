extension JobStatus {
  /// Where the new host of a recovered rank found its state, in one or two words; or why nobody looks for
  /// it any more.
  package func source(ofRecovery index: Int) -> String {
    let recovery = recoveries[index]
    if let restored = recovery.restored { return restored.tier.name }
    if recoveries[(index + 1)...].contains(where: { $0.vrank == recovery.vrank }) {
      return "lost again"
    }
    if summary.state == .done || ranks.contains(where: { $0.vrank == recovery.vrank && $0.isFinal })
    {
      return "finished"
    }
    return summary.state.isTerminal ? "job ended" : "looking"
  }
}
