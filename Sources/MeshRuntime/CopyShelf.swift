internal import MeshCore
internal import MeshWire
internal import ZeroMQ

/// Copies of other workers' ranks, as the frames in which they came.
struct CopyShelf {
  private struct Copy {
    var whole: [StoredFrame] = []
    /// Messages of a copy that isn't whole yet.
    var partial: [Int: StoredFrame] = [:]
    /// Tiles that the rank published: of the whole copy, and of the one on its way.
    var tiles = TileShelf()
    var partialTiles = TileShelf()
  }

  private var copies: [VRank: Copy] = [:]

  mutating func keep(_ frame: StoredFrame, _ header: CopyHeader) {
    if let tile = header.tile {
      return copies[header.vrank, default: Copy()].partialTiles.add(
        frame, part: header.part, to: tile)
    }
    copies[header.vrank, default: Copy()].partial[header.message] = frame
  }

  /// Messages `first...` replace those of the copy before, and of tiles these are kept.
  mutating func complete(_ vrank: VRank, first: Int, tiles: [TileID]) {
    guard var copy = copies[vrank] else { return }
    let arrived = copy.partial.keys.filter { $0 >= first }.sorted().compactMap { copy.partial[$0] }
    copy.whole = Array(copy.whole.prefix(first)) + arrived
    copy.partial = [:]
    copy.tiles.keep(tiles, orThoseOf: copy.partialTiles)
    copy.partialTiles = TileShelf()
    copies[vrank] = copy
  }

  mutating func dropPartial(_ vrank: VRank) {
    copies[vrank]?.partial = [:]
    copies[vrank]?.partialTiles = TileShelf()
  }

  mutating func drop(_ vrank: VRank) { copies[vrank] = nil }

  func frame(_ header: CopyHeader) -> StoredFrame? {
    guard let copy = copies[header.vrank] else { return nil }
    if let tile = header.tile { return copy.tiles.part(header.part, of: tile) }
    return copy.whole.indices.contains(header.message) ? copy.whole[header.message] : nil
  }

  /// Tiles of a whole copy.
  func tiles(of vrank: VRank) -> [PublishedTile] { copies[vrank]?.tiles.all ?? [] }

  /// A whole copy for another thread.
  func whole(_ vrank: VRank) -> FrameBundle? {
    guard let whole = copies[vrank]?.whole, !whole.isEmpty else { return nil }
    return FrameBundle(whole)
  }
}

/// Frames on their way to another thread.
///
/// Unchecked: each is a copy of its own that shares the content by libzmq's atomic reference count,
/// and only the thread that has the bundle uses it.
final class FrameBundle: @unchecked Sendable {
  let frames: [StoredFrame]
  init(_ frames: [StoredFrame]) { self.frames = frames.map { StoredFrame($0.copy()) } }
}
