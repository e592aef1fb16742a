internal import ArgumentParser
internal import AttentionKernels
internal import Foundation
internal import MeshCore
internal import MeshRuntime

/// `attnmesh attend`.
struct Attend: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compute exact attention of tensors on disk.",
    discussion: """
      Without --workers and --coordinator it computes in this process, on all cores. The output
      appears under its name when it is whole. The bits are the same whichever way it is computed.
      """.prose)

  @OptionGroup(title: "Job") var job: JobOptions
  @OptionGroup(title: "Job") var name: NameOption
  @OptionGroup(title: "Result") var result: OutputOptions

  @OptionGroup var place: PlaceOptions

  @Option(
    help: "Write a report to this file, as JSON; - is standard output, instead of the summary.")
  var report: String?

  @OptionGroup var dryRun: DryRunOptions

  @Flag(help: "Print JSON: the report, or what --dry-run finds.")
  var json = false

  @Flag(help: "No progress and no summary; errors still show.")
  var quiet = false

  func run() throws {
    try place.check()
    let isProtected = try place.protection.isOn()
    _ = try name.checked()
    if dryRun.isWanted { return try tryOut(isProtected: isProtected) }
    try result.check(report: self.report, inputs: job.files + place.keys.files)
    let inputs = try job.inputs()
    let report: JobReport
    if let workers = place.workers {
      report = try runLocally(inputs, workers: workers, isProtected: isProtected)
    } else if let client = try place.remoteClient() {
      try job.checkFinite(inputs)
      report = try run(
        inputs, client: client, isRemote: true, isProtected: isProtected, Interruption())
    } else {
      report = try runInProcess(inputs)
    }
    try report.tell(to: self.report, json: json, quiet: quiet)
  }

  /// Finds out what the job would take, and what stands in its way.
  private func tryOut(isProtected: Bool) throws {
    var findings = DryRun()
    try findings.collect { refuse throws(MeshError) in
      try result.check(report: report, inputs: job.files + place.keys.files, refuse: refuse)
    }
    let inputs = try findings.collect { refuse throws(MeshError) in
      try job.inputs(refuse: refuse)
    }
    if let inputs {
      findings.add(inputs)
      try findings.add(result, inputs)
      if let workers = place.workers {
        let threads = place.threadsPerWorker(workers)
        findings.add(
          LocalMeshAdmission(
            inputs.spec, workers: workers, spares: place.spares, threadsPerWorker: threads,
            isProtected: isProtected, resultBytes: try memoryBytes(inputs)),
          threadsPerWorker: threads)
      } else if let client = try place.remoteClient() {
        try findings.add(inputs, to: client, isProtected: isProtected)
      } else {
        let threads = place.threads ?? ProcessLimits.processors
        findings.add(
          InProcessAdmission(
            inputs.spec, blocks: inputs.blocks, threads: threads,
            resultBytes: try memoryBytes(inputs)),
          threads: threads)
      }
      // Room on the disk is made, and given back.
      _ = try findings.attempt { _ = try resultFiles(inputs) }
      _ = try findings.attempt { try job.checkFinite(inputs) }
      try findings.predict(inputs.spec)
    }
    try findings.finish(json: json)
  }

  private func runInProcess(_ inputs: JobInputs) throws -> JobReport {
    let level = try KernelLevel.chosen()
    let threads = place.threads ?? ProcessLimits.processors
    let admission = InProcessAdmission(
      inputs.spec, blocks: inputs.blocks, threads: threads,
      resultBytes: try memoryBytes(inputs))
    try admission.check()
    try job.checkFinite(inputs)
    ProcessMemory.keepNoLargeBlocks()
    let files = try resultFiles(inputs)
    let bar = ProgressBar(isShown: !quiet)
    let interruption = Interruption()
    let run = try InProcessAttention(
      inputs: inputs, kernel: AttentionKernel(level: level), threads: threads,
      portions: admission.portions)
    let outcome = try run.run(
      into: files, deadlineSeconds: place.deadline ?? 0,
      progress: { bar.show([ProgressBar.Rank(name: "fold", done: $0, total: $1)]) },
      isCancelled: { interruption.isRequested })
    bar.clear()
    try files.commit()
    return JobReport(
      inputs, outcome: outcome, level: level, threads: threads,
      bytesBound: admission.bytes)
  }

  private func resultFiles(_ inputs: JobInputs) throws(MeshError) -> ResultFiles {
    try ResultFiles(
      output: result.output, element: try result.element(), logSumExp: result.lse,
      shape: inputs.shape, axes: inputs.spec.axes)
  }

  /// Of memory that the result's files take.
  private func memoryBytes(_ inputs: JobInputs) throws(MeshError) -> Int {
    try ResultFiles.memoryBytes(
      output: result.output, element: try result.element(), logSumExp: result.lse,
      job: inputs.spec)
  }

  private func runLocally(
    _ inputs: JobInputs, workers: Int, isProtected: Bool
  ) throws -> JobReport {
    _ = try KernelLevel.chosen()
    let interruption = Interruption()
    let admission = LocalMeshAdmission(
      inputs.spec, workers: workers, spares: place.spares,
      threadsPerWorker: place.threadsPerWorker(workers), isProtected: isProtected,
      resultBytes: try memoryBytes(inputs))
    try admission.check()
    try job.checkFinite(inputs)
    return try place.withLocalMesh(
      of: workers, bytesPerWorker: admission.bytesPerWorker, isProtected: isProtected, interruption
    ) { client, isOver in
      try run(
        inputs, client: client, isRemote: false, isProtected: isProtected, interruption,
        isOver: isOver)
    }
  }

  /// Submits, follows and fetches. A remote job's id is printed at once: whoever is cut off can come
  /// back for the result.
  private func run(
    _ inputs: JobInputs, client: MeshClient, isRemote: Bool, isProtected: Bool,
    _ interruption: Interruption, isOver: @escaping () -> Bool = { false }
  ) throws -> JobReport {
    let files = try resultFiles(inputs)
    let bar = ProgressBar(isShown: !quiet)
    defer { bar.clear() }
    if !quiet { client.notify = bar.tell }
    let remote = try RemoteJob(
      submitting: inputs, deadlineSeconds: place.deadline ?? 0, isProtected: isProtected,
      name: try name.checked(), client: client,
      isCancelled: { interruption.isRequested || isOver() },
      admitted: { if isRemote, !quiet { Attnmesh.complain("job \($0.job)") } },
      progress: { bar.show(sent: $0, of: $1) })
    do throws(MeshError) {
      _ = try remote.wait { bar.show($0) }
      let status = try remote.fetch(into: files, withLogSumExp: result.lse != nil) {
        bar.show(sent: $0, of: $1)
      }
      try files.commit()
      if isRemote { remote.discard() }
      return JobReport(status)
    } catch {
      if error.kind == .interrupted {
        try? remote.cancel()
        throw MeshError(.interrupted, "interrupted; job \(remote.id) was cancelled")
      }
      guard error.kind == .unreachable, isRemote else { throw error }
      throw MeshError(
        .unreachable,
        "\(error.message); the job may go on: attnmesh result \(remote.id) --output"
          + " \(result.output) --coordinator \(client.endpoint)")
    }
  }
}
