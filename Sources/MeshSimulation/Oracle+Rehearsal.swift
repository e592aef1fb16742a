internal import MeshCore

extension Oracle {
  /// All steps of all ranks of a rehearsal, one after the other in the order of all.
  init(rehearsing plan: Plan, keyParts: [[[UInt8]]]) {
    let engine = RehearsalEngine(plan: plan)
    var rehearsal = Rehearsal(vranks: plan.vrankCount)
    for (tile, parts) in keyParts.enumerated() { engine.pack(.keyValue(tile), parts) }
    for vrank in plan.vranks { engine.host(vrank) }
    let programs = plan.vranks.map { plan.steps(of: $0) }
    let order = plan.vranks.flatMap { vrank in
      (0..<programs[vrank.index].count).map { (vrank: vrank, step: $0) }
    }.sorted { programs[$0.vrank.index].order($0.step) < programs[$1.vrank.index].order($1.step) }
    for (vrank, step) in order {
      for publication in engine.run(step..<step + 1, of: vrank)() {
        engine.pack(publication.tile, publication.parts)
        rehearsal.published[publication.tile] = publication.parts
      }
      if let state = engine.state(of: vrank) {
        rehearsal.states[vrank.index].append((0..<state.messageCount).map(state.read))
      }
    }
    let results = plan.vranks.map { engine.finish($0) }
    self.init(
      output: results.flatMap { result in (0..<result.messageCount).flatMap(result.payload) },
      rehearsal: rehearsal)
  }

  /// What is known of a rehearsal on its way.
  struct Rehearsal: Sendable {
    /// By rank and steps done, the messages of the state.
    var states: [[[[UInt8]]]]
    var published: [TileID: [[UInt8]]] = [:]

    init(vranks: Int) { states = Array(repeating: [], count: vranks) }
  }
}
