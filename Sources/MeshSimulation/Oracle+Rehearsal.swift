internal import FoldEngine
internal import MeshCore

extension Oracle {
  /// All steps of all ranks of a rehearsal, one after the other in the order of all.
  init(rehearsing plan: Plan, _ parts: StoredParts) {
    let engine = RehearsalEngine(plan: plan)
    var rehearsal = Rehearsal(vranks: plan.vrankCount)
    ProgramRun(plan: plan, engine: engine)
      .run(on: CallingThread(), source: parts.source(for: plan)) { done in
        if let publication = done.publication {
          rehearsal.published[publication.tile] = SimulatedTile(publication).parts
        }
        if let state = engine.state(of: done.vrank) {
          rehearsal.states[done.vrank.index].append((0..<state.messageCount).map(state.read))
        }
      }
    let results = plan.vranks.map { engine.finish($0, kept: []) }
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
