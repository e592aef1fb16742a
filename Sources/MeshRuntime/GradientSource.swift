internal import FoldEngine
package import MeshCore

/// A job of gradients with its tensors: those of the files, and the statistics of rows that are known by now.
struct GradientSource: JobSource {
  let spec: AttentionJob
  private let inputs: GradientInputs
  private let statistics: RowStatistics

  /// - Parameter statistics: of all rows.
  init(_ inputs: GradientInputs, _ statistics: RowStatistics) {
    self.inputs = inputs
    self.statistics = statistics
    spec = inputs.backward
  }

  func read(
    _ tensor: InputTensor, at offset: Int, into target: UnsafeMutableRawBufferPointer
  ) throws(MeshError) {
    switch tensor {
    case .outputGradient: try inputs.readOutputGradient(at: offset, into: target)
    case .rowStatistics:
      statistics.copy(from: offset / AttentionJob.rowStatisticsBytes, into: target)
    case .query, .key, .value, .blockMap: try inputs.job.read(tensor, at: offset, into: target)
    }
  }

  func checkUnchanged() throws(MeshError) { try inputs.checkUnchanged() }
}

extension GradientInputs {
  /// The job of gradients, on a mesh. Its layout doesn't say where ranks are.
  package var backward: AttentionJob {
    var job = job.spec
    job.layout = .contiguous
    job.outputGradient = outputGradientType
    job.cutHeads(blocks: self.job.blocks)
    return job
  }
}
