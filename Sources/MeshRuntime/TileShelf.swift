internal import FoldEngine
internal import MeshCore
internal import MeshWire
internal import ZeroMQ

/// The frames of tiles that a worker keeps: as they came, to be passed on by reference and packed
/// when their turn comes.
struct TileShelf {
  private var parts: [TileID: [StoredFrame]] = [:]

  /// Takes the next part of a tile.
  mutating func add(_ frame: StoredFrame, to tile: TileID) {
    parts[tile, default: []].append(frame)
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
