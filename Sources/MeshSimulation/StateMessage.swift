internal import FoldEngine
internal import MeshCore

/// One message of a rank's state, wherever it is: in a snapshot, a copy, a checkpoint, on its way.
struct StateMessage: Sendable {
  let payload: [UInt8]
  /// What it says of itself: tiles folded when it was made, and under which epoch.
  let next: Int
  let epoch: Epoch
  /// The truth: the tiles 0 ..< folded are in it.
  let folded: Int
}

/// A rank's state in a worker, with what is really in it.
final class SimulatedRank {
  let vrank: VRank
  let epoch: Epoch
  /// Of each message, the tiles that were folded into it: 0 ..< this.
  var folded: [Int]
  /// Nothing that is still read of a checkpoint may get into the state.
  var isLoadEnded = false
  /// Of each message, its query tile, its part, and the tiles that its rows see.
  let places: [(queryTile: Int, part: Int, needed: Int)]

  init(vrank: VRank, epoch: Epoch, plan: Plan) {
    self.vrank = vrank
    self.epoch = epoch
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
  var stagedEpoch = Epoch.lowest

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

extension Plan {
  /// Of each message of a rank's state, its query tile, its part, and the tiles that its rows see.
  func places(of vrank: VRank) -> [(queryTile: Int, part: Int, needed: Int)] {
    queryTiles(of: vrank).flatMap { tile in
      let needed = neededKeyTiles(ofQueryTile: tile)
      return (0..<resultPartCount).map { (tile, $0, needed) }
    }
  }
}
