internal import FoldEngine
internal import MeshCore
internal import MeshWire
internal import ZeroMQ

/// The frames of tiles that a worker keeps: as they came, to be passed on by reference and packed
/// when their turn comes.
struct TileShelf {
  private var parts: [TileID: [StoredFrame]] = [:]

  /// Takes the next part of a tile; the first one begins it anew.
  mutating func add(_ frame: StoredFrame, part: Int, to tile: TileID) {
    parts[tile] = (parts[tile] ?? []).prefix(part) + [frame]
  }

  /// Takes all of a tile that was published here, or came with a copy.
  ///
  /// - Returns: the frames that were there before, to be freed elsewhere.
  mutating func set(_ tile: PublishedTile) -> FreedOnce? {
    let before = remove(tile.id)
    parts[tile.id] = tile.frames.frames
    return before
  }

  /// Keeps some tiles alone, of which the newer ones are another's.
  mutating func keep(_ tiles: [TileID], orThoseOf newer: TileShelf) {
    let all = parts.merging(newer.parts) { $1 }
    parts = all.filter { tiles.contains($0.key) }
  }

  /// All tiles, ascending.
  var all: [PublishedTile] {
    parts.sorted { $0.key < $1.key }.map {
      PublishedTile(id: $0.key, frames: FrameBundle($0.value))
    }
  }

  func part(_ part: Int, of tile: TileID) -> StoredFrame? {
    guard let frames = parts[tile], frames.indices.contains(part) else { return nil }
    return frames[part]
  }

  /// - Returns: the frames, to be freed elsewhere: there may be very many.
  mutating func remove(_ tile: TileID) -> FreedOnce? {
    parts.removeValue(forKey: tile).map { FreedOnce($0) }
  }

  /// The payloads of a whole tile, which share its frames: forgotten here, they stay where they are.
  func payloads(of tile: TileID) -> [PartPayload] {
    (parts[tile] ?? []).compactMap { stored in
      let frame = SharedFrame(stored.copy())
      // It was decoded and verified when it came.
      guard let part = try? PayloadFrame<TilePart>(decoding: frame.bytes) else { return nil }
      return PartPayload(part.payload(in: frame.bytes), owner: frame)
    }
  }
}
