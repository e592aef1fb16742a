internal import ArgumentParser
internal import AttentionKernels
internal import ElementTypes
internal import MeshCore
internal import MeshRuntime

/// `attnmesh grad`.
struct Grad: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compute the gradients of exact attention: dQ, dK and dV.",
    discussion: """
      Without --workers and --coordinator in this process, on all cores: flags that say how a mesh
      shares a job out are refused then. O and LSE are those of `attnmesh attend`, or of any program
      whose log-sum-exp is natural, over all keys, and counts any sink logit; without them they are
      computed first. The bits don't depend on where they are computed, nor on the strategy or the
      number of workers and threads.

      Example:
        attnmesh grad --query q.npy --key k.npy --value v.npy --mask causal \\
          --output-gradient g.npy --query-gradient dq.npy --key-gradient dk.npy \\
          --value-gradient dv.npy
      """.prose)

  @OptionGroup(title: "Job") var job: JobOptions

  @Option(help: "Gradient of the output, with the query's shape.")
  var outputGradient: String

  @Option(help: "Output of the forward pass, with the query's shape; goes with --lse.")
  var output: String?

  @Option(
    help: """
      Natural-log log-sum-exp of the forward pass, with any sink logit counted, float32; goes with \
      --output.
      """)
  var lse: String?

  @Option(help: "Gradient of the log-sum-exp, float32, where the loss has one.")
  var lseGradient: String?

  @Option(help: "Gradient of the query, with its shape: .npy or .safetensors.")
  var queryGradient: String

  @Option(help: "Gradient of the key, with its shape.")
  var keyGradient: String

  @Option(help: "Gradient of the value, with its shape.")
  var valueGradient: String

  @Option(help: "Gradient of --sink-logits, float32, a number for each query head.")
  var sinkGradient: String?

  @Option(help: "Of the gradients: float32, float16 or bfloat16 (which needs .safetensors paths).")
  var outputDtype = "float32"

  @OptionGroup var place: PlaceOptions
  @OptionGroup(title: "Job") var name: NameOption

  @Option(
    help: "Write a report to this file, as JSON; - is standard output, instead of the summary.")
  var report: String?

  @Flag(help: "Print the report as JSON.")
  var json = false

  @Flag(help: "No progress and no summary; errors still show.")
  var quiet = false

  private var inputPaths: GradientInputs.Paths {
    GradientInputs.Paths(
      outputGradient: outputGradient, output: output, logSumExp: lse,
      logSumExpGradient: lseGradient)
  }

  private var outputPaths: GradientFiles.Paths {
    GradientFiles.Paths(
      query: queryGradient, key: keyGradient, value: valueGradient, sinkLogits: sinkGradient)
  }

  private func element() throws(MeshError) -> ElementType {
    try choice(outputDtype, "--output-dtype", of: ElementType.allCases, named: \.name)
  }

  func run() throws {
    try place.check()
    _ = try name.checked()
    if sinkGradient != nil, job.masks.sinkLogits == nil {
      throw MeshError(.badInput, "--sink-gradient without --sink-logits")
    }
    if place.isThisProcess { try job.refuseSharing(by: "grad") }
    try GradientFiles.check(
      outputPaths, element: try element(), report: report,
      inputs: job.files + place.keys.files
        + inputPaths.sources.compactMap { InputPath($0.flag, tensor: $0.text) })
    let inputs = try job.gradientInputs(inputPaths)
    let told: GradientReport
    if let workers = place.workers {
      told = try runLocally(inputs, workers: workers)
    } else if let client = try place.remoteClient() {
      try check(inputs)
      told = try run(inputs, client: client, isRemote: true, Interruption())
    } else {
      told = try runInProcess(inputs)
    }
    try tell(told)
  }

  private func check(_ inputs: GradientInputs) throws(MeshError) {
    if job.rejectNonfinite { try inputs.rejectNonfinite() }
    try inputs.checkLogSumExp()
  }

  private func memoryBytes(_ inputs: GradientInputs) throws(MeshError) -> Int {
    try GradientFiles.memoryBytes(outputPaths, element: try element(), inputs: inputs.job)
  }

  private func runInProcess(_ inputs: GradientInputs) throws -> GradientReport {
    let level = try KernelLevel.chosen()
    let threads = place.threads ?? ProcessLimits.processors
    let admission = GradientAdmission(
      inputs.job.spec, blocks: inputs.job.blocks, hasForward: inputs.hasForward, threads: threads,
      resultBytes: try memoryBytes(inputs))
    try admission.check()
    try check(inputs)
    ProcessMemory.keepNoLargeBlocks()
    let files = try GradientFiles(outputPaths, element: try element(), inputs: inputs.job)
    let bar = ProgressBar(isShown: !quiet)
    let interruption = Interruption()
    let run = try InProcessGradients(
      inputs: inputs, kernel: AttentionKernel(level: level), threads: threads,
      admission: admission)
    let outcome = try run.run(
      into: files,
      progress: { bar.show([ProgressBar.Rank(name: $0, done: $1, total: $2)]) },
      isCancelled: { interruption.isRequested })
    bar.clear()
    try files.commit()
    return GradientReport(
      inputs, outcome: outcome, level: level.name, threads: threads,
      bytesBound: admission.bytes)
  }

  private func runLocally(_ inputs: GradientInputs, workers: Int) throws -> GradientReport {
    _ = try KernelLevel.chosen()
    let isProtected = try place.protection.isOn()
    let resultBytes = try memoryBytes(inputs)
    // One after the other, on the same workers.
    let jobs = [inputs.backward] + (inputs.hasForward ? [] : [inputs.job.spec])
    let admissions = jobs.map {
      LocalMeshAdmission(
        $0, workers: workers, spares: place.spares,
        threadsPerWorker: place.threadsPerWorker(workers), isProtected: isProtected,
        resultBytes: resultBytes)
    }
    for admission in admissions { try admission.check() }
    try check(inputs)
    let interruption = Interruption()
    return try place.withLocalMesh(
      of: workers, bytesPerWorker: admissions.map(\.bytesPerWorker).min() ?? 0,
      isProtected: isProtected, interruption
    ) { client, isOver in
      try run(inputs, client: client, isRemote: false, interruption, isOver: isOver)
    }
  }

  private func run(
    _ inputs: GradientInputs, client: MeshClient, isRemote: Bool, _ interruption: Interruption,
    isOver: @escaping () -> Bool = { false }
  ) throws -> GradientReport {
    let files = try GradientFiles(outputPaths, element: try element(), inputs: inputs.job)
    let bar = ProgressBar(isShown: !quiet)
    defer { bar.clear() }
    if !quiet { client.notify = bar.tell }
    let options = MeshGradients.Options(
      deadlineSeconds: place.deadline ?? 0, isProtected: try place.protection.isOn(),
      name: try name.checked())
    let gradients = MeshGradients(
      inputs: inputs, client: client, options,
      isCancelled: { interruption.isRequested || isOver() })
    let told = try gradients.run(
      into: files, kernel: AttentionKernel(),
      progress: MeshGradients.Progress(
        admitted: { if isRemote, !quiet { Attnmesh.complain("job \($1.job): \($0)") } },
        moved: { bar.show(sent: $0, of: $1) }, status: { bar.show($0) }))
    try files.commit()
    return told
  }

  private func tell(_ told: GradientReport) throws(MeshError) {
    if let report { try told.write(to: report) }
    guard report != JobReport.standardOutput else { return }
    if json {
      print(try told.json())
    } else if !quiet {
      print(told.summary)
    }
  }
}
