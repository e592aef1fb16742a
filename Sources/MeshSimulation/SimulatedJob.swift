package import AttentionKernels
internal import AttentionMasks
internal import Checksums
internal import FoldEngine
package import MeshCore

/// A job with its inputs, and what has to come out of it: computed once, shared by all runs.
package final class SimulatedJob: Sendable {
  package let spec: AttentionJob
  package let inputs: MemoryTensors
  let kernel: AttentionKernel
  let digests: InputDigests
  /// What its block map says, if it has one.
  let blocks: BlockMap?
  /// Payloads of the parts of every tile.
  private let queryParts: [[[UInt8]]]
  private let keyParts: [[[UInt8]]]
  /// The undisturbed run of one worker; nil where nobody compares with it.
  package let oracle: Oracle?

  package init(
    spec: AttentionJob, inputs: MemoryTensors, kernel: AttentionKernel, hasOracle: Bool = true
  ) {
    self.spec = spec
    self.inputs = inputs
    self.kernel = kernel
    digests = inputs.digests
    blocks = spec.blockMap(of: inputs.blockMap)
    let plan = Plan(job: spec, vrankCount: 1, blocks: blocks)
    func parts(_ tensor: TileTensor) -> [[[UInt8]]] {
      (0..<plan.tileCount(tensor)).map { index in
        (0..<plan.partCount(tensor)).map {
          inputs.payload(plan, TileID(tensor, index), part: $0)
        }
      }
    }
    queryParts = parts(.query)
    keyParts = parts(.keyValue)
    guard hasOracle else {
      oracle = nil
      return
    }
    oracle =
      spec.isRehearsal
      // What is computed depends on who hands on to whom.
      ? Oracle(
        rehearsing: Plan(job: spec, vrankCount: spec.vranks, blocks: blocks), keyParts: keyParts)
      : Oracle(plan: plan, kernel: kernel, queryParts: queryParts, keyParts: keyParts, inputs)
  }

  /// Of a plan of the job, however it cuts the heads.
  func payload(of tile: TileID, part: Int, in plan: Plan) -> [UInt8] {
    let (place, part) = plan.storedPart(of: tile, part: part)
    return tile.tensor == .query ? queryParts[place][part] : keyParts[place][part]
  }
}

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

  init(
    plan: Plan, kernel: AttentionKernel, queryParts: [[[UInt8]]], keyParts: [[[UInt8]]],
    _ inputs: MemoryTensors
  ) {
    let engine = FoldEngine(plan: plan, kernel: kernel)
    let rank = VRank(0)
    engine.host(rank)
    for (tile, parts) in queryParts.enumerated() {
      for (part, payload) in parts.enumerated() {
        payload.withUnsafeBytes { engine.packQueries(tile: tile, part: part, payload: $0) }
      }
    }
    guard let memory = engine.state(of: rank) else { preconditionFailure("not hosted") }
    var states = [[[UInt8]]](repeating: [], count: memory.messageCount)
    let scratch = FoldScratch()
    for (step, tile) in plan.neededKeyTiles(of: rank).enumerated() {
      for (part, payload) in keyParts[tile].enumerated() {
        payload.withUnsafeBytes { engine.packKeys(tile: tile, part: part, payload: $0) }
      }
      let work = engine.fold(rank, steps: step..<step + 1)
      for item in 0..<work.itemCount { work.perform(item, scratch: scratch) }
      engine.unpack(tile)
      for message in states.indices {
        let queryTile = message / plan.resultPartCount
        if plan.neededKeyTiles(ofQueryTile: queryTile).contains(tile) {
          states[message].append(memory.payload(message))
        }
      }
    }
    var tensors = inputs
    let result = engine.finish(rank)
    for item in 0..<result.itemCount {
      result.perform(item)
      let (tile, part) = plan.resultMessage(of: rank, item)
      tensors.store(result.payload(item), plan, queryTile: tile, part: part)
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
