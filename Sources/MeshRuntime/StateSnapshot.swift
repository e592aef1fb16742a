internal import Checksums
internal import FoldEngine
internal import MeshCore
internal import MeshWire
internal import ZeroMQ

/// The state of a virtual rank at a tile boundary, as frames: made by the compute threads, then sent
/// and written without another copy.
///
/// Unchecked: each message is filled by one compute thread, and what is done when all are filled is
/// ordered behind that by the work queue; from then on nothing changes.
final class StateSnapshot: ItemisedWork, @unchecked Sendable {
  let vrank: VRank
  let epoch: Epoch
  let next: Int
  let first: Int
  private let state: RankState
  private let headers: [SoftmaxState]
  private let offsets: [Int]
  private let memory: SnapshotMemory

  init(
    _ state: RankState, job: WorkerJob, epoch: Epoch, next: Int, first: Int,
    reusing memory: SnapshotMemory?
  ) {
    vrank = state.vrank
    self.state = state
    self.epoch = epoch
    self.next = next
    self.first = first
    headers = (first..<state.messageCount).map {
      state.header($0, job: job.id, planTag: job.planTag, epoch: epoch, next: next)
    }
    // Frames begin on cache lines.
    var offsets = [0]
    for header in headers {
      offsets.append(((offsets.last ?? 0) + (header.frameBytes ?? 0) + 63) & ~63)
    }
    self.offsets = offsets
    let needed = offsets.last ?? 0
    if let memory, memory.count >= needed {
      self.memory = memory
    } else {
      self.memory = SnapshotMemory(count: needed)
    }
  }

  /// Messages `first...`, as items of work.
  var itemCount: Int { headers.count }

  /// Copies the rows of one message, and checksums them while they are in cache.
  func perform(_ item: Int, scratch: FoldScratch) {
    var header = headers[item]
    header.write(to: memory.bytes(frame(item))) { state.read(first + item, into: $0) }
  }

  private func frame(_ item: Int) -> Range<Int> {
    offsets[item]..<offsets[item] + (headers[item].frameBytes ?? 0)
  }

  /// The payload frame of a message, over this memory.
  func frame(of message: Int) -> Frame {
    let bytes = memory.bytes(frame(message - first))
    return Frame(retaining: memory, bytes: UnsafeRawBufferPointer(bytes))
  }

  /// The payload of a message: the end of its frame.
  func payload(of message: Int) -> UnsafeRawBufferPointer {
    let bytes = memory.bytes(frame(message - first))
    return UnsafeRawBufferPointer(rebasing: bytes.suffix(state.byteCount(message)))
  }

  /// The memory, for the next snapshot, if nothing else needs it any more.
  consuming func takeMemory() -> SnapshotMemory { memory }
}

/// Memory of a snapshot, kept alive by the frames over it.
final class SnapshotMemory: @unchecked Sendable {
  private let base: UnsafeMutableRawBufferPointer

  init(count: Int) {
    base = .allocate(byteCount: max(64, count), alignment: 64)
  }

  deinit { base.deallocate() }

  var count: Int { base.count }

  func bytes(_ range: Range<Int>) -> UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(rebasing: base[range])
  }
}
