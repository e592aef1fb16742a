internal import AttentionKernels
internal import FoldEngine
internal import MeshCore

/// Makes the statistics of rows of O, LSE, dO and dLSE.
struct StatisticsReader<Queue: WorkQueue> {
  let inputs: GradientInputs
  let kernel: AttentionKernel
  /// Who computes them.
  let queue: Queue

  private let headsAtOnce = 8

  init(inputs: GradientInputs, kernel: AttentionKernel, queue: Queue) {
    self.inputs = inputs
    self.kernel = kernel
    self.queue = queue
  }

  /// Of all rows, from O and LSE of a forward pass.
  ///
  /// - Parameter goOn: told what is done of how much; throws to end it.
  /// - Precondition: they are given.
  func read(into statistics: RowStatistics, goOn: (Int, Int) throws -> Void) throws {
    let job = inputs.job.spec
    let tiles = stride(from: 0, to: job.queryTokens, by: Plan.queryTileRows).map {
      $0..<min($0 + Plan.queryTileRows, job.queryTokens)
    }
    // Few heads at once: rows of a head lie together in the files.
    let heads = stride(from: 0, to: job.flatQueryHeads, by: headsAtOnce).map {
      $0..<min($0 + headsAtOnce, job.flatQueryHeads)
    }
    for (index, range) in heads.enumerated() {
      for (place, rows) in tiles.enumerated() {
        try goOn(index * tiles.count + place, heads.count * tiles.count)
        guard let (outputs, type) = try inputs.outputs(range, rows),
          let logSumExp = try inputs.logSumExp(range, rows)
        else { preconditionFailure("without a forward pass") }
        try add(to: statistics, range, rows, .init(outputs, type), logSumExp)
        queue.wait(unfinished: 2)
      }
    }
    queue.wait(unfinished: 0)
  }

  /// Of some rows of some heads, whose O and LSE are these; given to the queue.
  func add(
    to statistics: RowStatistics, _ heads: Range<Int>, _ rows: Range<Int>,
    _ outputs: RowStatisticsWork.Rows, _ logSumExp: [Float]
  ) throws(MeshError) {
    queue.submit(
      RowStatisticsWork(
        kernel, statistics, heads: heads, rows: rows, outputs: outputs,
        outputGradients: .init(
          try inputs.rows(.outputGradient, heads, rows), inputs.outputGradientType),
        logSumExp: logSumExp, logSumExpGradients: try inputs.logSumExpGradients(heads, rows)))
  }
}
