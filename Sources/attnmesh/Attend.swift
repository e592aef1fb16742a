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
      """)

  @OptionGroup(title: "Job") var job: JobOptions
  @OptionGroup(title: "Result") var result: OutputOptions

  @Option(help: "Compute threads. (default: all cores, shared out among the workers)")
  var threads: Int?

  @Option(help: "Write a report to this file, as JSON.")
  var report: String?

  @Flag(help: "No progress and no summary; errors still show.")
  var quiet = false

  func run() throws {
    try result.check()
    let inputs = try job.inputs()
    let report = try runInProcess(inputs)
    if let path = self.report { try report.write(to: path) }
    if !quiet { print(report.summary) }
  }

  private func runInProcess(_ inputs: JobInputs) throws -> JobReport {
    let level = try KernelLevel.chosen()
    let threads = threads ?? ProcessInfo.processInfo.activeProcessorCount
    guard (1...1_024).contains(threads) else {
      throw MeshError(.badInput, "--threads \(threads): it must be 1 to 1024")
    }
    let files = try ResultFiles(
      output: result.output, element: try result.element(), logSumExp: result.lse,
      shape: inputs.shape)
    let bar = ProgressBar(isShown: !quiet)
    let interruption = Interruption()
    let run = try InProcessAttention(
      inputs: inputs, kernel: AttentionKernel(level: level), threads: threads)
    let outcome = try run.run(
      into: files, progress: { bar.show([ProgressBar.Rank(name: "fold", done: $0, total: $1)]) },
      isCancelled: { interruption.isRequested })
    bar.clear()
    try files.commit()
    return JobReport(inputs.spec, outcome: outcome, level: level, threads: threads)
  }
}
