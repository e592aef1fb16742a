internal import AttentionKernels
internal import FoldEngine
internal import MeshCore

/// The ordered fold of one worker that nothing happens to: the truth about every state on the way,
/// and about the output.
package struct Oracle: Sendable {
  package let output: [UInt8]
  package let logSumExp: [UInt8]
  /// Of each message of the state, the payloads after 1, 2, … of the tiles that its rows need.
  private let states: [[[UInt8]]]
  private let partCount: Int
  /// Whether maxima never fell and sums stayed finite on the way.
  package let isSound: Bool
  private let rehearsal: Rehearsal?

  init(output: [UInt8], rehearsal: Rehearsal) {
    self.output = output
    logSumExp = []
    states = []
    partCount = 1
    isSound = true
    self.rehearsal = rehearsal
  }

  /// What a rank publishes; nil where that isn't known.
  func published(_ tile: TileID) -> [[UInt8]]? { rehearsal?.published[tile] }

  init(plan: Plan, kernel: AttentionKernel, _ parts: StoredParts, _ inputs: MemoryTensors) {
    let engine = FoldEngine(plan: plan, kernel: kernel)
    let rank = VRank(0)
    let steps = plan.steps(of: rank)
    let thread = CallingThread()
    var states = [[[UInt8]]](repeating: [], count: plan.messageCount(of: rank))
    ProgramRun(plan: plan, engine: engine)
      .run(on: thread, source: parts.source(for: plan)) { done in
        guard let state = engine.state(of: rank) else { preconditionFailure("not hosted") }
        let tile = steps.tile(done.step)
        for message in states.indices {
          let queryTile = message / plan.resultPartCount
          if plan.neededKeyTiles(ofQueryTile: queryTile).contains(tile) {
            states[message].append(state.payload(message))
          }
        }
      }
    var tensors = inputs
    let result = engine.finish(rank)
    thread.perform(result)
    for message in 0..<result.messageCount {
      let (tile, part) = plan.resultMessage(of: rank, message)
      tensors.store(result.payload(message), plan, queryTile: tile, part: part)
    }
    output = tensors.output
    logSumExp = tensors.logSumExp
    partCount = plan.resultPartCount
    isSound = Self.isSound(states, plan)
    self.states = states
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
