/// One part of a tile.
package struct TilePartID: Hashable, Sendable {
  package let tile: TileID
  package let part: Int
}

extension Plan {
  /// The parts of tiles, in order.
  func parts(of tiles: [TileID]) -> [TilePartID] {
    tiles.flatMap { tile in
      (0..<partCount(tile.tensor)).map { TilePartID(tile: tile, part: $0) }
    }
  }

  /// Whether there could be a message of a copy: of the state, or of a tile that the rank published by then.
  func isPossible(_ header: CopyHeader) -> Bool {
    let (states, steps) = (messageCount(of: header.vrank), steps(of: header.vrank))
    guard (0..<states).contains(header.first),
      header.first <= header.message,
      header.message < header.count,
      (states...states + publishedParts(of: steps)).contains(header.count),
      (1...max(1, steps.count)).contains(header.next)
    else { return false }
    guard let tile = header.tile else { return header.message < states }
    return header.message >= states && (0..<partCount(tile.tensor)).contains(header.part)
      && steps.step(publishing: tile).map { $0 < header.next } == true
  }

  /// How long a disk is waited for that writes or reads a rank's state.
  func slotPatience(of vrank: VRank) -> Duration {
    Limits.slotTimeout
      + .seconds(Double(stateBytes(of: vrank)) / Double(Limits.slotRateMinimum))
  }
}
