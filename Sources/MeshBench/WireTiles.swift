internal import AttentionKernels
internal import Checksums
internal import ElementTypes
internal import FoldEngine
internal import MeshCore
internal import MeshRuntime
internal import MeshWire
internal import TensorFiles
internal import ZeroMQ

/// The K/V tiles that the wire bench moves: each of one message, as large as a message may be.
final class WireTiles {
  let plan: Plan
  let planTag: UInt64 = 1
  let job = JobID(high: 1, low: 1)
  let payloadBytes: Int
  /// Of tile 0, 1, …: what a worker keeps and serves.
  let frames: [[UInt8]]
  /// Where tiles are packed.
  let engine: FoldEngine
  /// Tiles that are packed now, the oldest first.
  private var packed: [Int] = []
  /// The second engine packs what never was on a wire.
  private let witness: FoldEngine

  /// Tiles in turn.
  private static let count = 16

  init(element: ElementType) {
    let headDimension = 128
    // A mebibyte of keys and values.
    let heads = Limits.payloadBytesMaximum / (256 * headDimension * 2 * element.byteCount)
    let spec = AttentionJob(
      batch: 1, queryHeads: heads, keyValueHeads: heads, queryTokens: 256,
      keyTokens: 256 * Self.count, headDimension: headDimension, element: element, mask: .full,
      scale: 1, layout: .contiguous)
    let plan = Plan(job: spec, vrankCount: 1)
    self.plan = plan
    payloadBytes = plan.payloadBytes(of: .keyValue(0), part: 0)
    let level = KernelLevel.best
    engine = FoldEngine(plan: plan, kernel: AttentionKernel(level: level))
    witness = FoldEngine(plan: plan, kernel: AttentionKernel(level: level))
    var random = SplitMix64(seed: 3)
    frames = (0..<Self.count).map { [job, planTag, payloadBytes] tile in
      let floats = (0..<payloadBytes / element.byteCount).map { _ in random.normal() }
      var part = plan.message(of: .keyValue(tile), part: 0, job: job, planTag: planTag)
      guard let count = part.frameBytes else { preconditionFailure("a tile that can't travel") }
      return [UInt8](unsafeUninitializedCapacity: count) { buffer, used in
        part.write(to: UnsafeMutableRawBufferPointer(buffer)) { payload in
          floats.withUnsafeBufferPointer { element.encode($0, into: payload) }
        }
        used = count
      }
    }
  }

  /// Decodes, verifies and packs what arrived for a tile, as a worker does.
  func take(_ frame: borrowing Frame, _ header: PartHeader) -> Bool {
    frame.withUnsafeBytes { bytes in
      guard header.job == job, header.planTag == planTag,
        let part = try? PayloadFrame<TilePart>(decoding: bytes), part.message.header == header,
        (try? part.verify(in: bytes)) != nil
      else { return false }
      engine.pack(header.tile, part: 0, payload: part.payload(in: bytes))
      packed.append(header.tile.index)
      // What was folded makes room, as in a worker.
      if packed.count > Limits.windowTiles { engine.unpack(.keyValue(packed.removeFirst())) }
      return true
    }
  }

  /// Whether the packed tiles are those of the frames, bit for bit.
  func isPackedRight() -> Bool {
    packed.count == Limits.windowTiles
      && packed.allSatisfy { tile in
        frames[tile].withUnsafeBytes { bytes in
          guard let part = try? PayloadFrame<TilePart>(decoding: bytes) else { return false }
          witness.pack(.keyValue(tile), part: 0, payload: part.payload(in: bytes))
          return engine.hasEqualTile(tile, to: witness)
        }
      }
  }
}
