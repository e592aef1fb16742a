package import AttentionKernels
package import MeshCore

/// What the backward pass needs of every row beside Q and dO: its log-sum-exp, and
/// D = rowsum(dO ∘ O) − dLSE (FlashAttention-2, §2.3.2; dLSE is the gradient that a loss has of the
/// log-sum-exp itself, mostly none). Of all rows of all query heads: eight bytes a row.
package final class RowStatistics: Sendable {
  package let job: AttentionJob
  /// [query heads][query tokens], in base 2.
  let logSumExp: AlignedBuffer
  /// D, likewise.
  let differences: AlignedBuffer

  package init(job: AttentionJob) {
    self.job = job
    logSumExp = AlignedBuffer(count: job.flatQueryHeads * job.queryTokens)
    differences = AlignedBuffer(count: logSumExp.count)
  }

  package static func byteCount(_ job: AttentionJob) -> Int {
    8 * job.flatQueryHeads * job.queryTokens
  }

  /// Of rows of all heads, [heads][tokens] in order from `first` on, the log-sum-exp and D: the tensor of a job
  /// on a mesh.
  package func copy(from first: Int, into target: UnsafeMutableRawBufferPointer) {
    for row in 0..<target.count / AttentionJob.rowStatisticsBytes {
      let pair = row * AttentionJob.rowStatisticsBytes
      target.storeBytes(of: logSumExp.floats[first + row], toByteOffset: pair, as: Float.self)
      target.storeBytes(
        of: differences.floats[first + row], toByteOffset: pair + 4, as: Float.self)
    }
  }

  /// Takes rows as `copy` gives them.
  package func load(_ pairs: UnsafeRawBufferPointer, from first: Int) {
    for row in 0..<pairs.count / AttentionJob.rowStatisticsBytes {
      let pair = row * AttentionJob.rowStatisticsBytes
      logSumExp.floats[first + row] = pairs.loadUnaligned(fromByteOffset: pair, as: Float.self)
      differences.floats[first + row] = pairs.loadUnaligned(
        fromByteOffset: pair + 4, as: Float.self)
    }
  }

  /// The gradients of the learnt logits, over all sequences: one for each query head, none where there are none.
  package func sinkGradients() -> [Float] {
    job.logits.sinkLogits.enumerated().map { head, logit in
      (0..<job.batch).reduce(Float(0)) {
        $0 + sinkGradient(ofHead: $1 * job.queryHeads + head, logit: logit)
      }
    }
  }

  /// The gradient of a head's learnt logit: −Σ exp(logit − LSE) D over its rows, in ascending order. The
  /// log-sum-exp counts the logit, whose value is 0.
  ///
  /// - Parameter head: flattened.
  private func sinkGradient(ofHead head: Int, logit: Float) -> Float {
    let start = head * job.queryTokens
    var sum = 0.0
    for row in start..<start + job.queryTokens {
      let exponent = Double(logit) - Double(logSumExp.floats[row]) / LogitScale.binaryLogarithmOfE
      // A row that sees nothing has all its weight on the logit; where that is -infinity, none.
      let weight = logit == -.infinity ? 0 : naturalExponential(exponent)
      if weight != 0 { sum -= weight * Double(differences.floats[row]) }
    }
    return sum.isNaN ? Float(bitPattern: 0x7FC0_0000) : Float(sum)
  }
}

/// The statistics of some rows of some heads, as independent items, one for each head.
package struct RowStatisticsWork: ItemisedWork {
  /// Rows [heads][rows][d] of O or dO.
  package struct Rows: Sendable {
    let payload: PartPayload
    let type: ElementType

    package init(_ payload: PartPayload, _ type: ElementType) {
      self.payload = payload
      self.type = type
    }
  }

  let kernel: AttentionKernel
  let statistics: RowStatistics
  let heads: Range<Int>
  let rows: Range<Int>
  let outputs: Rows
  let outputGradients: Rows
  /// [heads][rows], natural.
  let logSumExp: [Float]
  /// dLSE likewise, if there is one.
  let logSumExpGradients: [Float]?

  /// - Parameters:
  ///   - heads: flattened query heads.
  ///   - rows: of one query tile.
  package init(
    _ kernel: AttentionKernel, _ statistics: RowStatistics, heads: Range<Int>, rows: Range<Int>,
    outputs: Rows, outputGradients: Rows, logSumExp: [Float], logSumExpGradients: [Float]?
  ) {
    precondition(logSumExp.count == heads.count * rows.count)
    precondition(logSumExpGradients.map { $0.count == logSumExp.count } ?? true)
    self.kernel = kernel
    self.statistics = statistics
    self.heads = heads
    self.rows = rows
    self.outputs = outputs
    self.outputGradients = outputGradients
    self.logSumExp = logSumExp
    self.logSumExpGradients = logSumExpGradients
  }

  package var itemCount: Int { heads.count }

  package func perform(_ item: Int, scratch: FoldScratch) {
    let job = statistics.job
    let layout = PackedLayout(headDimension: job.headDimension)
    let start = (heads.lowerBound + item) * job.queryTokens + rows.lowerBound
    let output = scratch.head(0)
    let gradient = output + layout.gradientFloats(rowCount: rows.count)
    for (source, target) in [(outputs, output), (outputGradients, gradient)] {
      let bytes = rows.count * job.headDimension * source.type.byteCount
      guard let base = source.payload.bytes.baseAddress,
        (item + 1) * bytes <= source.payload.bytes.count
      else { preconditionFailure("head \(item) isn't in \(source.payload.bytes.count) bytes") }
      kernel.packRows(
        base + item * bytes, type: source.type, rowCount: rows.count, layout: layout, into: target)
    }
    let natural = Array(logSumExp[item * rows.count..<(item + 1) * rows.count])
    kernel.prepareBackward(
      outputs: output, outputGradients: gradient, logSumExp: natural, rowCount: rows.count,
      layout: layout, differences: statistics.differences.floats + start,
      binaryLogSumExp: statistics.logSumExp.floats + start)
    guard let logSumExpGradients else { return }
    for row in 0..<rows.count {
      statistics.differences.floats[start + row] -= logSumExpGradients[item * rows.count + row]
    }
  }
}
