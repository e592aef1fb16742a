internal import FoldEngine
internal import MeshCore
internal import MeshWire
internal import ZeroMQ

/// A tile that ranks compute, as frames: to be passed on, copied and packed like those that come.
struct PublishedTile: Sendable {
  let id: TileID
  let frames: FrameBundle

  init(id: TileID, frames: FrameBundle) {
    self.id = id
    self.frames = frames
  }

  /// Brings what a step published into frames, with the checksums that go with it from then on.
  init(_ publication: Publication, plan: Plan, job: JobID, planTag: UInt64) {
    id = publication.tile
    frames = FrameBundle(
      publication.parts.enumerated().compactMap { part, payload in
        var message = plan.message(of: publication.tile, part: part, job: job, planTag: planTag)
        guard let count = message.frameBytes else { return nil }
        return StoredFrame(
          Frame(count: count) { target in
            message.write(to: target) { $0.copyMemory(from: payload.bytes) }
          })
      })
  }
}
