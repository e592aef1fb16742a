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
      In this process, on all cores: flags that say how a mesh shares a job out are refused. O and LSE
      are those of `attnmesh attend`, or of any program whose log-sum-exp is natural, over all keys,
      and counts any sink logit; without them they are computed first. The bits don't depend on the
      number of threads.

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

  @Option(help: "Compute threads. (default: the cores)")
  var threads: Int?

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

  func run() throws {
    if let threads, !(1...1_024).contains(threads) {
      throw MeshError(.badInput, "--threads \(threads): it must be 1 to 1024")
    }
    if sinkGradient != nil, job.masks.sinkLogits == nil {
      throw MeshError(.badInput, "--sink-gradient without --sink-logits")
    }
    try job.refuseSharing(by: "grad")
    let element = try choice(
      outputDtype, "--output-dtype", of: ElementType.allCases, named: \.name)
    let paths = GradientFiles.Paths(
      query: queryGradient, key: keyGradient, value: valueGradient, sinkLogits: sinkGradient)
    let sources = inputPaths.sources
    try GradientFiles.check(
      paths, element: element, report: report,
      inputs: job.files + sources.compactMap { InputPath($0.flag, tensor: $0.text) })
    let inputs = try job.gradientInputs(inputPaths)
    let level = try KernelLevel.chosen()
    let threads = threads ?? ProcessLimits.processors
    let admission = GradientAdmission(
      inputs.job.spec, blocks: inputs.job.blocks, hasForward: inputs.hasForward, threads: threads,
      resultBytes: try GradientFiles.memoryBytes(paths, element: element, inputs: inputs.job))
    try admission.check()
    if job.rejectNonfinite { try inputs.rejectNonfinite() }
    try inputs.checkLogSumExp()
    ProcessMemory.keepNoLargeBlocks()
    let files = try GradientFiles(paths, element: element, inputs: inputs.job)
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
    try tell(
      GradientReport(
        inputs, outcome: outcome, level: level.name, threads: threads,
        bytesBound: admission.bytes))
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
