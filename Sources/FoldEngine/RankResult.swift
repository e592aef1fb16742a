internal import AttentionKernels
package import Checksums
package import MeshCore
internal import Synchronization

/// The result of a virtual rank, cut into messages: for each query tile and group of heads, O
/// [heads][rows][d], then log-sum-exp [heads][rows]; or dQ [heads][rows][d], and after those the parts of the
/// dK and dV that have travelled to the rank.
package final class RankResult: Sendable {
  package let vrank: VRank
  let kernel: AttentionKernel
  let rank: any RankRows
  /// What each message is about.
  private let messages: [TilePartID]
  private let output: AlignedBuffer
  private let offsets: [Int]
  /// Payloads of the messages after those of rows.
  private let kept: [PartPayload]
  private let sealed = Mutex<Digest?>(nil)

  /// - Parameter kept: parts of the tiles that the rank keeps, in order.
  init(rank: any RankRows, kernel: AttentionKernel, kept: [PartPayload] = []) {
    vrank = rank.vrank
    self.rank = rank
    self.kernel = kernel
    self.kept = kept
    let plan = rank.plan
    messages = plan.resultMessages(of: rank.vrank)
    precondition(messages.count == plan.messageCount(of: vrank) + kept.count, "other tiles")
    var offsets = [0]
    for message in messages.dropLast(kept.count) {
      offsets.append(
        (offsets.last ?? 0) + plan.resultBytes(message.tile, part: message.part) / 4)
    }
    self.offsets = offsets
    output = AlignedBuffer(count: offsets.last ?? 0)
  }

  package var messageCount: Int { messages.count }
  /// Messages of rows.
  package var itemCount: Int { offsets.count - 1 }

  /// Computes the rows of one message.
  package func perform(_ message: Int) {
    rank.finish(message, kernel, into: output.floats + offsets[message])
  }

  /// The payload of one message.
  package func payload(_ message: Int) -> UnsafeRawBufferPointer {
    if message >= itemCount { return kept[message - itemCount].bytes }
    return UnsafeRawBufferPointer(
      rebasing: output.bytes[offsets[message] * 4..<offsets[message + 1] * 4])
  }

  /// O of one query tile and head: [rows][d].
  package func rows(queryTile: Int, head: Int) -> UnsafeRawBufferPointer {
    let plan = rank.plan
    guard let place = rank.place(of: queryTile) else { preconditionFailure("not of this rank") }
    let head = head - rank.heads.lowerBound
    let message = place * plan.resultPartCount + head / plan.headsPerResultPart
    let bytes = plan.queryRows(of: queryTile).count * plan.job.headDimension * 4
    let start = head % plan.headsPerResultPart * bytes
    return UnsafeRawBufferPointer(rebasing: payload(message)[start..<start + bytes])
  }

  /// The log-sum-exp of one query tile and head: [rows].
  package func logSumExp(queryTile: Int, head: Int) -> [Float] {
    let plan = rank.plan
    guard let place = rank.place(of: queryTile) else { preconditionFailure("not of this rank") }
    let (part, index) = (head - rank.heads.lowerBound)
      .quotientAndRemainder(dividingBy: plan.headsPerResultPart)
    let message = place * plan.resultPartCount + part
    let rows = plan.queryRows(of: queryTile).count
    let heads = plan.resultHeads(queryTile: queryTile, part: part).count
    let start = offsets[message] + heads * rows * plan.job.headDimension + index * rows
    return (start..<start + rows).map { output.floats[$0] }
  }

  /// Bytes digested between two calls of `goOn`: some milliseconds.
  private static let pieceBytes = 4 << 20

  /// Digests the result, once every message is normalised. Slow, a second for a gigabyte or two: done
  /// where folds are done.
  ///
  /// - Parameter goOn: asked before every piece; the result stays unsealed once it says no.
  package func seal(_ goOn: () -> Bool) {
    let hasher = SHA256()
    for bytes in [output.bytes] + kept.map(\.bytes) {
      for start in stride(from: 0, to: bytes.count, by: Self.pieceBytes) {
        guard goOn() else { return }
        hasher.update(
          UnsafeRawBufferPointer(rebasing: bytes[start..<min(start + Self.pieceBytes, bytes.count)])
        )
      }
    }
    let digest = hasher.finish()
    sealed.withLock { $0 = digest }
  }

  /// SHA-256 over the payloads in order; nil before `seal`.
  package var sealedDigest: Digest? { sealed.withLock { $0 } }

  /// What a message says about itself.
  package func header(_ message: Int, job: JobID, planTag: UInt64, epoch: Epoch) -> SoftmaxState {
    let plan = rank.plan
    let (tile, part) = (messages[message].tile, messages[message].part)
    return SoftmaxState(
      job: job, planTag: planTag, vrank: vrank, epoch: epoch, next: rank.steps.count, tile: tile,
      part: part, heads: plan.resultHeads(tile, part: part), rows: plan.tokens(of: tile),
      headDimension: plan.job.headDimension, kind: plan.resultKind,
      checksum: crc32c(payload(message)))
  }
}

extension RankResult: ItemisedWork {
  package func perform(_ item: Int, scratch: FoldScratch) { perform(item) }
}
