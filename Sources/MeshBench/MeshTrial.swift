internal import AttentionKernels
internal import Checksums
package import MeshCore
package import MeshRuntime

/// One job on a local mesh of its own: new processes, so that a trial starts from nothing.
package struct MeshTrial {
  package var workers: Int
  package var threads = 1
  /// Further arguments of every worker, and of single ones by index.
  package var arguments: [String] = []
  package var argumentsByWorker: [Int: [String]] = [:]
  /// Whether losses are provided for: by copies, checkpoints and heartbeats.
  package var isProtected = true
  package var isCancelled: @Sendable () -> Bool

  package init(workers: Int, threads: Int = 1, isCancelled: @escaping @Sendable () -> Bool) {
    self.workers = workers
    self.threads = threads
    self.isCancelled = isCancelled
  }

  /// What a trial gave.
  package struct Outcome: Sendable {
    package let status: JobStatus
    package let report: JobReport
    package let usage: CPUUsage

    /// From the assignment's arrival to the last fold, of each worker.
    package var finishSeconds: [Double] {
      zip(report.computeSeconds, report.waitSeconds).map { $0 + $1 }
    }
  }

  /// Runs a job to its end; the result stays where it is, only its digest counts.
  ///
  /// - Parameter follow: told how far the job is, several times a second.
  package func run(
    _ inputs: JobInputs, follow: (JobStatus, LocalMesh) -> Void = { _, _ in }
  ) throws(MeshError) -> Outcome {
    let mark = CPUUsage.Mark()
    let mesh = try LocalMesh(
      LocalMesh.Configuration(
        workers: workers, threadsPerWorker: threads,
        memoryBytesPerWorker: ProcessMemory.availableBytes / workers,
        hasCheckpoints: isProtected, arguments: arguments, argumentsByWorker: argumentsByWorker))
    let status: JobStatus
    do throws(MeshError) {
      let client = try MeshClient(endpoint: mesh.controlEndpoint, name: "bench")
      try client.waitForWorkers(workers, isCancelled: isCancelled)
      let job = try RemoteJob(
        submitting: inputs, deadlineSeconds: 0, isProtected: isProtected, client: client,
        isCancelled: isCancelled, progress: { _, _ in })
      status = try job.wait { follow($0, mesh) }
    } catch {
      mesh.stop()
      throw error
    }
    mesh.stop()
    return Outcome(status: status, report: JobReport(status), usage: mark.usage)
  }
}

extension BenchTensors {
  /// The digest that one process without a mesh gets: what every trial is compared with.
  func digest(of inputs: JobInputs, isCancelled: () -> Bool) throws(MeshError) -> String {
    let files = try ResultFiles(
      output: scratchPath, element: .float32, logSumExp: nil, shape: inputs.shape)
    do {
      let run = try InProcessAttention(
        inputs: inputs, kernel: AttentionKernel(level: try KernelLevel.chosen()),
        threads: ProcessLimits.processors)
      let outcome = try run.run(into: files, progress: { _, _ in }, isCancelled: isCancelled)
      return "\(outcome.outputDigest)"
    } catch {
      throw error as? MeshError ?? MeshError(.jobFailed, "\(error)")
    }
  }
}

extension JobReport {
  /// Bytes written to sockets for tiles over the payload that had to cross between workers.
  var sentOverNeeded: Double { Double(bytesSent["tiles"] ?? 0) / Double(max(1, bytesNeeded)) }
}

extension AttentionJob {
  /// "9/3 heads, d 64, float16, full".
  var shapeLine: String {
    "\(queryHeads)/\(keyValueHeads) heads, d \(headDimension), \(element.name), \(mask.name)"
  }
}
