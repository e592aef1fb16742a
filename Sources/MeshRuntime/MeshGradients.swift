package import AttentionKernels
internal import FoldEngine
package import MeshCore
internal import ZeroMQ

/// The backward pass on a mesh: the forward pass first, unless O and LSE are given, of which this process keeps
/// the statistics of rows; then the job of gradients.
package struct MeshGradients {
  private let inputs: GradientInputs
  private let client: MeshClient
  private let options: Options
  private let isCancelled: () -> Bool

  package struct Options: Sendable {
    package var deadlineSeconds: Double
    package var isProtected: Bool
    package var name: String

    package init(deadlineSeconds: Double, isProtected: Bool, name: String) {
      self.deadlineSeconds = deadlineSeconds
      self.isProtected = isProtected
      self.name = name
    }
  }

  /// What is told of a run.
  package struct Progress {
    /// A job was admitted: of the forward pass or of the gradients.
    let admitted: (_ what: String, SubmitReply) -> Void
    /// Bytes sent or read, of all.
    let moved: (Int, Int) -> Void
    let status: (JobStatus) -> Void

    package init(
      admitted: @escaping (_ what: String, SubmitReply) -> Void,
      moved: @escaping (Int, Int) -> Void, status: @escaping (JobStatus) -> Void
    ) {
      self.admitted = admitted
      self.moved = moved
      self.status = status
    }
  }

  package init(
    inputs: GradientInputs, client: MeshClient, _ options: Options,
    isCancelled: @escaping () -> Bool
  ) {
    self.inputs = inputs
    self.client = client
    self.options = options
    self.isCancelled = isCancelled
  }

  /// Computes the gradients and writes them.
  package func run(
    into files: borrowing GradientFiles, kernel: AttentionKernel, progress: Progress
  ) throws -> GradientReport {
    let start = MonotonicClock.now
    let statistics = RowStatistics(job: inputs.job.spec)
    var forward: JobReport?
    if inputs.hasForward {
      try StatisticsReader(inputs: inputs, kernel: kernel, queue: CallingThread())
        .read(into: statistics) { done, total in
          if isCancelled() { throw MeshError(.interrupted, "interrupted") }
          progress.moved(done, total)
        }
    } else {
      forward = JobReport(try computeForward(statistics, kernel, progress))
    }
    let (status, digests) = try differentiate(statistics, files, progress)
    try files.write(sinkGradients: statistics.sinkGradients())
    return GradientReport(
      inputs, wallSeconds: (MonotonicClock.now - start).seconds, digests,
      mesh: JobReport(status), forward: forward)
  }

  /// Of the output, which comes tile by tile, D is all that is needed.
  private func computeForward(
    _ statistics: RowStatistics, _ kernel: AttentionKernel, _ progress: Progress
  ) throws -> JobStatus {
    let spec = inputs.job.spec
    let rows = StatisticsReader(inputs: inputs, kernel: kernel, queue: CallingThread())
    var logSumExp: [Float] = []
    logSumExp.reserveCapacity(spec.flatQueryHeads * spec.queryTokens)
    var tiles = TileStream(
      tokens: spec.queryTokens, columns: spec.headDimension, rowsPerTile: Plan.queryTileRows)
    return try perform("forward", inputs.job, [.logSumExp, .output], progress) {
      (tensor, _, bytes) throws(MeshError) in
      guard tensor == .output else {
        for offset in stride(from: 0, to: bytes.count, by: 4) {
          logSumExp.append(bytes.loadUnaligned(fromByteOffset: offset, as: Float.self))
        }
        return
      }
      try tiles.add(bytes) { (head, tokens, output) throws(MeshError) in
        let first = head * spec.queryTokens
        try rows.add(
          to: statistics, head..<head + 1, tokens,
          .init(PartPayload(copying: output), .float32),
          Array(logSumExp[first + tokens.lowerBound..<first + tokens.upperBound]))
      }
    }
  }

  private func differentiate(
    _ statistics: RowStatistics, _ files: borrowing GradientFiles, _ progress: Progress
  ) throws -> (JobStatus, GradientDigests) {
    let source = GradientSource(inputs, statistics)
    let spec = source.spec
    var digests = GradientDigests(spec)
    var tiles: [OutputTensor: TileStream] = [:]
    for tensor in spec.outputTensors {
      tiles[tensor] =
        tensor == .queryGradient
        ? TileStream(
          tokens: spec.queryTokens, columns: spec.headDimension, rowsPerTile: Plan.queryTileRows)
        : TileStream(
          tokens: spec.keyTokens, columns: spec.headDimension, rowsPerTile: Plan.keyTileKeys)
    }
    let status = try perform("gradients", source, spec.outputTensors, progress) {
      (tensor, _, bytes) throws(MeshError) in
      let gradient: GradientRun.Gradient =
        tensor == .queryGradient ? .query : tensor == .keyGradient ? .key : .value
      try tiles[tensor]?.add(bytes) { (head, tokens, rows) throws(MeshError) in
        digests.add(gradient, head: head, tokens: tokens, rows)
        try files.write(gradient, head: head, tokens: tokens, rows)
      }
    }
    return (status, digests)
  }

  /// Submits a job, follows it, and reads its result.
  private func perform(
    _ what: String, _ source: some JobSource, _ tensors: [OutputTensor], _ progress: Progress,
    take: (OutputTensor, Int, UnsafeRawBufferPointer) throws(MeshError) -> Void
  ) throws(MeshError) -> JobStatus {
    let job = try RemoteJob(
      submitting: source, deadlineSeconds: options.deadlineSeconds,
      isProtected: options.isProtected, name: options.name, client: client,
      isCancelled: isCancelled, admitted: { progress.admitted(what, $0) },
      progress: progress.moved)
    do throws(MeshError) {
      _ = try job.wait(progress: progress.status)
      let status = try job.fetch(tensors, progress: progress.moved, take: take)
      job.discard()
      return status
    } catch {
      guard error.kind == .interrupted else { throw error }
      try? job.cancel()
      throw MeshError(.interrupted, "interrupted; job \(job.id) was cancelled")
    }
  }
}
