internal import AttentionKernels
package import Checksums
package import MeshCore
internal import Synchronization

/// The normalised result of a virtual rank, cut into messages: for each query tile and group of
/// heads, O [heads][rows][d], then log-sum-exp [heads][rows].
package final class RankResult: Sendable {
  package let vrank: VRank
  let kernel: AttentionKernel
  let rank: RankBuffers
  private let output: AlignedBuffer
  private let offsets: [Int]
  private let sealed = Mutex<Digest?>(nil)

  init(rank: RankBuffers, kernel: AttentionKernel) {
    vrank = rank.vrank
    self.rank = rank
    self.kernel = kernel
    let plan = rank.plan
    var offsets = [0]
    for tile in rank.queryTiles {
      let rows = plan.queryRows(of: tile).count
      for part in 0..<plan.resultPartCount {
        let floats =
          plan.resultHeads(queryTile: tile, part: part).count * rows * (plan.job.headDimension + 1)
        offsets.append((offsets.last ?? 0) + floats)
      }
    }
    self.offsets = offsets
    output = AlignedBuffer(count: offsets.last ?? 0)
  }

  package var messageCount: Int { offsets.count - 1 }
  package var itemCount: Int { messageCount }

  /// Normalises the rows of one message.
  package func perform(_ message: Int) {
    let plan = rank.plan
    let (place, part) = message.quotientAndRemainder(dividingBy: plan.resultPartCount)
    let heads = plan.resultHeads(queryTile: rank.queryTiles[place], part: part)
    // Rows that see no key were never folded.
    let isUntouched = rank.steps.isEmpty
    let rows = plan.queryRows(of: rank.queryTiles[place]).count
    let outputs = output.floats + offsets[message]
    let logSumExp = outputs + heads.count * rows * plan.job.headDimension
    for (index, head) in heads.enumerated() {
      let state = rank.state(rank.item(head: head, place: place))
      if isUntouched { kernel.resetState(state, rowCount: rows, layout: rank.layout) }
      let (output, sums) = (
        outputs + index * rows * plan.job.headDimension, logSumExp + index * rows
      )
      kernel.finish(
        state, rowCount: rows, layout: rank.layout, output: output, logSumExp: sums)
      addSink(ofHead: head, to: output, sums, rowCount: rows)
    }
  }

  /// A learnt logit of a head takes its weight, once.
  private func addSink(
    ofHead head: Int, to output: UnsafeMutablePointer<Float>,
    _ logSumExp: UnsafeMutablePointer<Float>, rowCount: Int
  ) {
    let job = rank.plan.job
    guard let logit = job.sinkLogit(ofHead: head) else { return }
    for row in 0..<rowCount {
      let columns = UnsafeMutableBufferPointer(
        start: output + row * job.headDimension, count: job.headDimension)
      SoftmaxMerge.merge(sinkLogit: logit, into: columns, &logSumExp[row])
    }
  }

  /// The payload of one message.
  package func payload(_ message: Int) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(
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
    let bytes = output.bytes
    for start in stride(from: 0, to: bytes.count, by: Self.pieceBytes) {
      guard goOn() else { return }
      hasher.update(
        UnsafeRawBufferPointer(rebasing: bytes[start..<min(start + Self.pieceBytes, bytes.count)]))
    }
    let digest = hasher.finish()
    sealed.withLock { $0 = digest }
  }

  /// SHA-256 over the payloads in order; nil before `seal`.
  package var sealedDigest: Digest? { sealed.withLock { $0 } }

  /// What a message says about itself.
  package func header(_ message: Int, job: JobID, planTag: UInt64, epoch: Epoch) -> SoftmaxState {
    let plan = rank.plan
    let (place, part) = message.quotientAndRemainder(dividingBy: plan.resultPartCount)
    let tile = rank.queryTiles[place]
    return SoftmaxState(
      job: job, planTag: planTag, vrank: vrank, epoch: epoch,
      next: rank.steps.count, queryTile: tile, part: part,
      heads: plan.resultHeads(queryTile: tile, part: part), rows: plan.queryRows(of: tile),
      headDimension: plan.job.headDimension, isNormalised: true,
      checksum: crc32c(payload(message)))
  }
}

extension RankResult: ItemisedWork {
  package func perform(_ item: Int, scratch: FoldScratch) { perform(item) }
}
