internal import FoldEngine
internal import MeshCore

/// What computes in a simulated worker. Work that is handed out is done later, in the order in which it was
/// handed out.
protocol SimulatedEngine: AnyObject {
  func host(_ vrank: VRank)
  func retire(_ vrank: VRank)
  func pack(_ tile: TileID, _ parts: [[UInt8]])
  @discardableResult
  func unpack(_ tile: TileID) -> (any Sendable)?
  /// Does steps of a rank, and says what they publish.
  func run(_ steps: Range<Int>, of vrank: VRank) -> @Sendable () -> [SimulatedTile]
  /// What a step published, once more.
  func replay(_ tile: TileID) -> @Sendable () -> [SimulatedTile]
  /// - Parameter kept: parts of the tiles that the rank keeps.
  func finish(_ vrank: VRank, kept: [[UInt8]]) -> SimulatedResult
  func state(of vrank: VRank) -> SimulatedState?
}

/// A tile that was published.
struct SimulatedTile: Sendable {
  let tile: TileID
  let parts: [[UInt8]]

  init(_ publication: Publication) {
    tile = publication.tile
    parts = publication.parts.map { Array($0.bytes) }
  }
}

/// The running state of a hosted rank, by messages.
struct SimulatedState {
  let messageCount: Int
  let read: (Int) -> [UInt8]
  let write: (Int, [UInt8]) -> Void
}

/// The result of a rank: there once it was computed.
struct SimulatedResult {
  let messageCount: Int
  let compute: () -> Void
  let payload: (Int) -> [UInt8]
}

/// Attention or its gradients, with the real arithmetic.
final class RealEngine: SimulatedEngine {
  private let engine: any RankEngine
  private let thread: CallingThread

  init(_ engine: any RankEngine, scratch: FoldScratch) {
    self.engine = engine
    thread = CallingThread(scratch: scratch)
  }

  func host(_ vrank: VRank) { engine.host(vrank) }
  func retire(_ vrank: VRank) { engine.retire(vrank) }

  /// As if the compute threads took no time for it.
  func pack(_ tile: TileID, _ parts: [[UInt8]]) {
    thread.perform(
      engine.pack(tile, parts.map { part in part.withUnsafeBytes { PartPayload(copying: $0) } }))
  }

  @discardableResult
  func unpack(_ tile: TileID) -> (any Sendable)? { engine.unpack(tile) }

  func run(_ steps: Range<Int>, of vrank: VRank) -> @Sendable () -> [SimulatedTile] {
    perform(engine.work(of: vrank, steps: steps))
  }

  func replay(_ tile: TileID) -> @Sendable () -> [SimulatedTile] { perform(engine.replay(tile)) }

  private func perform(_ work: some StepWork) -> @Sendable () -> [SimulatedTile] {
    { [thread] in
      thread.perform(work)
      return work.publications.map(SimulatedTile.init)
    }
  }

  func finish(_ vrank: VRank, kept: [[UInt8]]) -> SimulatedResult {
    let parts = kept.map { part in part.withUnsafeBytes { PartPayload(copying: $0) } }
    let (result, thread) = (engine.finish(vrank, kept: parts), thread)
    return SimulatedResult(
      messageCount: result.messageCount,
      compute: { thread.perform(result) },
      payload: { Array(result.payload($0)) })
  }

  func state(of vrank: VRank) -> SimulatedState? {
    engine.state(of: vrank).map { state in
      SimulatedState(
        messageCount: state.messageCount, read: { state.payload($0) },
        write: { message, bytes in bytes.withUnsafeBytes { state.write(message, from: $0) } })
    }
  }
}
