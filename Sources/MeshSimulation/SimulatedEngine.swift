internal import FoldEngine
internal import MeshCore

/// What computes in a simulated worker. Work that is handed out is done later, in the order in which it was
/// handed out.
protocol SimulatedEngine: AnyObject {
  func host(_ vrank: VRank)
  func retire(_ vrank: VRank)
  func pack(_ tile: TileID, _ parts: [[UInt8]])
  func unpack(_ tile: TileID)
  /// Does steps of a rank, and says what they publish.
  func run(_ steps: Range<Int>, of vrank: VRank) -> @Sendable () -> [Publication]
  /// What a step published, once more.
  func replay(_ tile: TileID) -> () -> Publication
  func finish(_ vrank: VRank) -> SimulatedResult
  func state(of vrank: VRank) -> SimulatedState?
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

/// Attention, with the real arithmetic.
final class AttentionEngine: SimulatedEngine {
  private let engine: FoldEngine
  private let thread: CallingThread

  init(_ engine: FoldEngine, scratch: FoldScratch) {
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

  func unpack(_ tile: TileID) { engine.unpack(tile.index) }

  func run(_ steps: Range<Int>, of vrank: VRank) -> @Sendable () -> [Publication] {
    let (fold, thread) = (engine.fold(vrank, steps: steps), thread)
    return {
      thread.perform(fold)
      return []
    }
  }

  func replay(_ tile: TileID) -> () -> Publication {
    preconditionFailure("attention publishes no \(tile)")
  }

  func finish(_ vrank: VRank) -> SimulatedResult {
    let (result, thread) = (engine.finish(vrank), thread)
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
