internal import FoldEngine
internal import MeshCore

/// One message of a rank's state, wherever it is: in a snapshot, a copy, a checkpoint, on its way.
struct StateMessage: Sendable {
  let payload: [UInt8]
  /// What it says of itself: tiles folded when it was made, and under which epoch.
  let next: Int
  let epoch: Epoch
  /// The truth: so many of the tiles that its rows need are in it, the first ones.
  let folded: Int
}

/// A rank's state in a worker, with what is really in it.
final class SimulatedRank {
  let vrank: VRank
  let epoch: Epoch
  /// Of each message, how many of the tiles that its rows need were folded into it: the first ones.
  var folded: [Int]
  /// Nothing that is still read of a checkpoint may get into the state.
  var isLoadEnded = false
  /// What it does, step by step.
  let steps: RankSteps
  let places: [MessagePlace]

  init(vrank: VRank, epoch: Epoch, plan: Plan) {
    self.vrank = vrank
    self.epoch = epoch
    steps = plan.steps(of: vrank)
    places = plan.places(of: vrank)
    folded = [Int](repeating: 0, count: places.count)
  }
}

/// A copy of a rank's state in its holder's memory.
struct HeldState: Sendable {
  var whole: [StateMessage?]
  /// What the whole copy says it is; 0 for none.
  var next = 0
  var epoch = Epoch.lowest
  /// Since when there has been a whole one.
  var since = Int.max
  /// What has arrived of the next one.
  var staged: [StateMessage?]
  var stagedNext = 0
  /// What the rank had published, and what has arrived of the next copy's.
  var tiles: [TileID: [[UInt8]]] = [:]
  var stagedTiles: [TileID: [[UInt8]]] = [:]
  var stagedEpoch = Epoch.lowest

  func message(_ number: Int) -> StateMessage? {
    whole.indices.contains(number) ? whole[number] : nil
  }

  init(messageCount: Int) {
    whole = [StateMessage?](repeating: nil, count: messageCount)
    staged = whole
  }
}

extension RankState {
  /// The payload of one message.
  func payload(_ message: Int) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: byteCount(message)) { buffer, count in
      read(message, into: UnsafeMutableRawBufferPointer(buffer))
      count = buffer.count
    }
  }
}

/// One message of a rank's state: whose rows it has, and which steps touch it.
struct MessagePlace: Sendable {
  let vrank: VRank
  let message: Int
  let queryTile: Int
  let part: Int
  /// The tiles of the steps that touch it; nil where all do.
  let needed: NeededTiles?
  /// Of the rank.
  let steps: RankSteps

  /// How many steps touch it.
  var count: Int { needed?.count ?? steps.count }

  /// Which one of those that touch it a step is; nil for none.
  func place(of step: Int) -> Int? {
    guard let needed else { return step }
    return needed.place(of: steps.tile(step))
  }

  /// How many have touched it once the rank has done `next` steps.
  func folded(after next: Int) -> Int {
    guard let needed else { return next }
    return next < steps.count ? needed.count(below: steps.tile(next)) : needed.count
  }
}

extension Plan {
  /// The messages of a rank's state.
  func places(of vrank: VRank) -> [MessagePlace] {
    let steps = steps(of: vrank)
    return queryTiles(of: vrank).enumerated().flatMap { place, tile in
      let needed = job.isRehearsal ? nil : neededKeyTiles(ofQueryTile: tile)
      return (0..<resultPartCount).map {
        MessagePlace(
          vrank: vrank, message: place * resultPartCount + $0, queryTile: tile, part: $0,
          needed: needed, steps: steps)
      }
    }
  }
}
