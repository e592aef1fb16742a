internal import AttentionKernels
internal import KernelBody
internal import MeshCore

extension RankBuffers {
  /// O [heads][rows][d], not normalised, then m and l, [heads][rows] each.
  func readState(_ message: Int, into target: UnsafeMutableRawBufferPointer) {
    visit(message) { state, dimension, rows, offsets in
      for row in 0..<rows {
        let from = state.accumulator + row * layout.paddedDimension
        copy(UnsafeRawPointer(from), to: target, at: offsets.output + row * dimension, dimension)
      }
      copy(UnsafeRawPointer(state.maximum), to: target, at: offsets.maximum, rows)
      copy(UnsafeRawPointer(state.sum), to: target, at: offsets.sum, rows)
    }
  }

  func writeState(_ message: Int, from source: UnsafeRawBufferPointer) {
    visit(message) { state, dimension, rows, offsets in
      for row in 0..<rows {
        let target = state.accumulator + row * layout.paddedDimension
        copy(source, at: offsets.output + row * dimension, to: target, dimension)
        for column in dimension..<layout.paddedDimension { target[column] = 0 }
      }
      copy(source, at: offsets.maximum, to: state.maximum, rows)
      copy(source, at: offsets.sum, to: state.sum, rows)
    }
  }

  /// Offsets in floats of one head's rows in a payload.
  private struct Offsets {
    let output: Int
    let maximum: Int
    let sum: Int
  }

  private func visit(
    _ message: Int, _ body: (StatePointers, _ dimension: Int, _ rows: Int, Offsets) -> Void
  ) {
    let (tile, part) = plan.stateMessage(of: vrank, message)
    let count = plan.resultHeads(queryTile: tile, part: part).count
    let rows = plan.queryRows(of: tile).count
    let dimension = plan.job.headDimension
    let maxima = count * rows * dimension
    forEachHead(of: message) { head, index, place in
      body(
        state(item(head: head, place: place)), dimension, rows,
        Offsets(
          output: index * rows * dimension, maximum: maxima + index * rows,
          sum: maxima + (count + index) * rows))
    }
  }

  private func copy(
    _ source: UnsafeRawPointer, to target: UnsafeMutableRawBufferPointer, at offset: Int,
    _ count: Int
  ) {
    target.baseAddress?.advanced(by: offset * 4).copyMemory(from: source, byteCount: count * 4)
  }

  private func copy(
    _ source: UnsafeRawBufferPointer, at offset: Int, to target: UnsafeMutablePointer<Float>,
    _ count: Int
  ) {
    guard let from = source.baseAddress else { return }
    UnsafeMutableRawPointer(target).copyMemory(from: from + offset * 4, byteCount: count * 4)
  }

  // MARK: Result

  /// O [heads][rows][d], then the natural log-sum-exp [heads][rows].
  func finish(
    _ message: Int, _ kernel: AttentionKernel, into target: UnsafeMutablePointer<Float>
  ) {
    let (tile, part) = plan.stateMessage(of: vrank, message)
    let rows = plan.queryRows(of: tile).count
    let logSumExp =
      target + plan.resultHeads(queryTile: tile, part: part).count * rows * plan.job.headDimension
    forEachHead(of: message) { head, index, place in
      let state = state(item(head: head, place: place))
      // Rows that see no key were never folded.
      if steps.isEmpty { kernel.resetState(state, rowCount: rows, layout: layout) }
      let (output, sums) = (
        target + index * rows * plan.job.headDimension, logSumExp + index * rows
      )
      kernel.finish(state, rowCount: rows, layout: layout, output: output, logSumExp: sums)
      addSink(ofHead: head, to: output, sums, rowCount: rows)
    }
  }

  /// A learnt logit of a head takes its weight, once.
  private func addSink(
    ofHead head: Int, to output: UnsafeMutablePointer<Float>,
    _ logSumExp: UnsafeMutablePointer<Float>, rowCount: Int
  ) {
    let job = plan.job
    guard let logit = job.sinkLogit(ofHead: head) else { return }
    for row in 0..<rowCount {
      let columns = UnsafeMutableBufferPointer(
        start: output + row * job.headDimension, count: job.headDimension)
      SoftmaxMerge.merge(sinkLogit: logit, into: columns, &logSumExp[row])
    }
  }
}
