package import AttentionKernels
package import MeshCore

/// A mesh to which nothing happens: any job, on any number of workers, in the order in which messages
/// are sent or, under a seed, in any that sockets could bring about.
package struct InProcessMesh {
  private let workers: Int
  private let kernel: AttentionKernel
  private let tensors: MemoryTensors
  private let seed: UInt64?
  /// Of the packed tiles in a rank's window.
  package var windowBytes = Limits.windowBytes

  /// How a run ended.
  package struct Outcome {
    package let tensors: MemoryTensors
    package let status: JobStatus
    /// K/V payload bytes that went from worker to worker.
    package let tileBytes: Int
    /// What must never be.
    package let breach: String?
    /// The most that each worker held at a time.
    package let peaks: [WorkerAudit.Peaks]
  }

  /// - Parameter seed: of the order in which events arrive; nil for the order of sending.
  package init(
    workers: Int, kernel: AttentionKernel, tensors: MemoryTensors, seed: UInt64? = nil
  ) {
    self.workers = workers
    self.kernel = kernel
    self.tensors = tensors
    self.seed = seed
  }

  /// Runs one job to its end.
  ///
  /// - Returns: nil if the mesh came to rest without ending the job: a bug.
  package mutating func run(_ spec: AttentionJob) -> Outcome? {
    var options = SimulationOptions(calm: seed ?? 0, workers: workers)
    options.timing.tile = 10 * Time.microsecond
    options.timing.copy = 10 * Time.microsecond
    options.network.delay = 10 * Time.microsecond
    options.isInOrder = seed == nil
    options.windowBytes = windowBytes
    // As unequal as connections can be: some messages overtake a hundred others.
    options.network.jitter = seed == nil ? 0 : 2 * Time.millisecond
    let job = SimulatedJob(spec: spec, inputs: tensors, kernel: kernel, hasOracle: false)
    let outcome = Simulation(options, job: job).run()
    guard let status = outcome.status, status.summary.state.isTerminal else { return nil }
    return Outcome(
      tensors: outcome.tensors, status: status, tileBytes: outcome.tileBytes,
      breach: outcome.violation?.description, peaks: outcome.peaks)
  }
}
