internal import AttentionKernels
internal import FoldEngine
internal import MeshCore

/// The ordered steps of one worker that nothing happens to: the truth about every state on the way, about what
/// ranks publish, and about the result.
package struct Oracle: Sendable {
  /// Of each tensor of the result.
  package let results: [[UInt8]]
  /// By query tile and part, the payloads of that message of a state after 1, 2, … of the tiles that its rows need.
  private let states: [[[UInt8]]]
  private let partCount: Int
  /// What ranks published.
  private let tiles: [TileID: [[UInt8]]]
  /// Whether maxima never fell and sums stayed finite on the way.
  package let isSound: Bool
  private let rehearsal: Rehearsal?

  init(output: [UInt8], rehearsal: Rehearsal) {
    results = [output, []]
    states = []
    partCount = 1
    tiles = rehearsal.published
    isSound = true
    self.rehearsal = rehearsal
  }

  /// What a rank publishes; nil where that isn't known.
  func published(_ tile: TileID) -> [[UInt8]]? { tiles[tile] }

  init(plan: Plan, kernel: AttentionKernel, _ parts: StoredParts, _ inputs: MemoryTensors) {
    self =
      plan.job.isBackward
      ? Oracle(plan, BackwardEngine(plan: plan, kernel: kernel), parts, inputs)
      : Oracle(plan, FoldEngine(plan: plan, kernel: kernel), parts, inputs)
  }

  private init<Engine: ProgramEngine & RankEngine>(
    _ plan: Plan, _ engine: Engine, _ parts: StoredParts, _ inputs: MemoryTensors
  ) {
    let thread = CallingThread()
    var states = [[[UInt8]]](repeating: [], count: plan.queryTileCount * plan.resultPartCount)
    var published: [TileID: [[UInt8]]] = [:]
    let programs = plan.vranks.map { plan.steps(of: $0) }
    ProgramRun(plan: plan, engine: engine)
      .run(on: thread, source: parts.source(for: plan)) { done in
        guard let state = engine.state(of: done.vrank) else { preconditionFailure("not hosted") }
        if let publication = done.publication {
          published[publication.tile] = SimulatedTile(publication).parts
        }
        let tile = programs[done.vrank.index].tile(done.step)
        for message in 0..<state.messageCount {
          let (queryTile, part) = plan.stateMessage(of: done.vrank, message)
          if plan.neededKeyTiles(ofQueryTile: queryTile).contains(tile) {
            states[queryTile * plan.resultPartCount + part].append(state.payload(message))
          }
        }
      }
    var tensors = inputs
    for vrank in plan.vranks {
      let kept = plan.job.isBackward ? programs[vrank.index].kept : []
      let result = engine.finish(
        vrank, kept: kept.flatMap { Publication(tile: $0, copying: published[$0] ?? []).parts })
      thread.perform(result)
      for (message, place) in plan.resultMessages(of: vrank).enumerated() {
        tensors.store(result.payload(message), plan, place)
      }
    }
    results = tensors.results
    partCount = plan.resultPartCount
    isSound = plan.job.isBackward || Self.isSound(states, plan)
    self.states = states
    tiles = published
    rehearsal = nil
  }

  /// The payload of a message of a state once `folded` of the steps that touch it are done; nil for none.
  func state(_ place: MessagePlace, folded: Int) -> [UInt8]? {
    guard folded > 0 else { return nil }
    if let rehearsal { return rehearsal.states[place.vrank.index][folded - 1][place.message] }
    return states[place.queryTile * partCount + place.part][folded - 1]
  }

  private static func isSound(_ states: [[[UInt8]]], _ plan: Plan) -> Bool {
    states.enumerated().allSatisfy { message, payloads in
      let (tile, part) = message.quotientAndRemainder(dividingBy: plan.resultPartCount)
      let rows =
        plan.resultHeads(queryTile: tile, part: part).count * plan.queryRows(of: tile).count
      var maxima = [Float](repeating: -.infinity, count: rows)
      for payload in payloads {
        let floats = payload.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
        let statistics = floats.suffix(2 * rows)
        let next = Array(statistics.prefix(rows))
        guard zip(maxima, next).allSatisfy({ $0 <= $1 }),
          statistics.suffix(rows).allSatisfy({ $0.isFinite && $0 >= 0 })
        else { return false }
        maxima = next
      }
      return true
    }
  }
}
