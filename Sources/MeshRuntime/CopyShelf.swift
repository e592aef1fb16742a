internal import MeshCore
internal import MeshWire
internal import ZeroMQ

/// Copies of other workers' ranks, as the frames in which they came.
struct CopyShelf {
  private struct Copy {
    var whole: [StoredFrame] = []
    /// Messages of a copy that isn't whole yet.
    var partial: [Int: StoredFrame] = [:]
  }

  private var copies: [VRank: Copy] = [:]

  mutating func keep(_ frame: StoredFrame, _ header: CopyHeader) {
    copies[header.vrank, default: Copy()].partial[header.message] = frame
  }

  /// Messages `first...` replace those of the copy before.
  mutating func complete(_ vrank: VRank, first: Int) {
    guard var copy = copies[vrank] else { return }
    let arrived = copy.partial.keys.filter { $0 >= first }.sorted().compactMap { copy.partial[$0] }
    copy.whole = Array(copy.whole.prefix(first)) + arrived
    copy.partial = [:]
    copies[vrank] = copy
  }

  mutating func dropPartial(_ vrank: VRank) { copies[vrank]?.partial = [:] }

  mutating func drop(_ vrank: VRank) { copies[vrank] = nil }

  func frame(_ message: Int, of vrank: VRank) -> StoredFrame? {
    guard let whole = copies[vrank]?.whole, whole.indices.contains(message) else { return nil }
    return whole[message]
  }

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
