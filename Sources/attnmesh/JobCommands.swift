internal import ArgumentParser
internal import Foundation
internal import MeshCore
internal import MeshRuntime
internal import MeshView

/// `attnmesh submit`.
struct Submit: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Send a job to a coordinator and print its id.",
    discussion: """
      Example:
        job=$(attnmesh submit --query q.npy --key k.npy --value v.npy --mask causal)
        attnmesh result $job --output o.npy
      """.prose)

  @OptionGroup(title: "Job") var job: JobOptions
  @OptionGroup(title: "Job") var name: NameOption
  @OptionGroup(title: "Mesh") var mesh: MeshOptions

  @OptionGroup var protection: ProtectionOptions
  @OptionGroup var dryRun: DryRunOptions

  @Option(help: "Seconds after which the job fails, whatever its state.")
  var deadline: Double?

  @Flag(help: "Print JSON.")
  var json = false

  @Flag(help: "No progress; errors still show.")
  var quiet = false

  func run() throws {
    let name = try name.checked()
    if dryRun.isWanted { return try tryOut() }
    let inputs = try job.inputs()
    try job.checkFinite(inputs)
    let interruption = Interruption()
    let bar = ProgressBar(isShown: !quiet)
    let remote = try RemoteJob(
      submitting: inputs, deadlineSeconds: try checkedDeadline(deadline),
      isProtected: try protection.isOn(), name: name, client: try mesh.client(),
      isCancelled: { interruption.isRequested },
      progress: { bar.show(sent: $0, of: $1) })
    bar.clear()
    if json {
      printJSON(
        SubmittedView(
          job: "\(remote.id)", workerBytes: remote.admission.workerBytes,
          diskBytes: remote.admission.diskBytes))
    } else {
      print(remote.id)
    }
  }

  /// Finds out what the job would take, and what stands in its way.
  private func tryOut() throws {
    var findings = DryRun()
    let inputs = try findings.collect { refuse throws(MeshError) in
      try job.inputs(refuse: refuse)
    }
    if let inputs {
      findings.add(inputs)
      try findings.add(inputs, to: try mesh.client(), isProtected: try protection.isOn())
      _ = try findings.attempt { try job.checkFinite(inputs) }
      try findings.predict(inputs.spec)
    }
    try findings.finish(json: json)
  }

  private struct SubmittedView: Encodable {
    var job: String
    var workerBytes: Int
    var diskBytes: Int
  }
}

func checkedDeadline(_ seconds: Double?) throws(MeshError) -> Double {
  guard let seconds else { return 0 }
  guard seconds > 0, seconds <= 1e8 else {
    throw MeshError(.badInput, "--deadline \(seconds): it must be a positive number of seconds")
  }
  return seconds
}

/// `attnmesh result`.
struct ResultCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "result",
    abstract: "Wait for a job and fetch its result.",
    discussion: """
      The result is checked against the coordinator's digest and appears whole. It stays in the store
      unless --discard is given; fetching again is fine.
      """.prose)

  @OptionGroup var argument: JobArgument
  @OptionGroup(title: "Result") var result: OutputOptions
  @OptionGroup(title: "Mesh") var mesh: MeshOptions
  @OptionGroup var patience: PatienceOptions

  @Flag(help: "Let the coordinator forget the result once it is here.")
  var discard = false

  @Option(
    help: "Write a report to this file, as JSON; - is standard output, instead of the summary.")
  var report: String?

  @Flag(help: "Print JSON: the report.")
  var json = false

  @Flag(help: "No progress and no summary; errors still show.")
  var quiet = false

  func run() throws {
    try result.check(report: self.report, inputs: mesh.keys.files)
    let client = try mesh.client(patience)
    let interruption = Interruption()
    let remote = RemoteJob(
      try argument.id(client), client: client, isCancelled: { interruption.isRequested })
    let bar = ProgressBar(isShown: !quiet)
    if !quiet { client.notify = bar.tell }
    let done = try remote.wait { bar.show($0) }
    let spec = done.summary.spec
    let files = try ResultFiles(
      output: result.output, element: try result.element(), logSumExp: result.lse,
      shape: spec.queryShape, axes: spec.axes)
    let status = try remote.fetch(into: files, withLogSumExp: result.lse != nil) {
      bar.show(sent: $0, of: $1)
    }
    bar.clear()
    try files.commit()
    if discard { remote.discard() }
    let report = JobReport(status)
    try report.tell(to: self.report, json: json, quiet: quiet)
  }
}

/// `attnmesh cancel`.
struct Cancel: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Cancel a job.",
    discussion: "Asks first, on a terminal; elsewhere --yes has to be given.")

  @OptionGroup var argument: JobArgument
  @OptionGroup var confirmation: ConfirmationOptions
  @OptionGroup(title: "Mesh") var mesh: MeshOptions

  @Flag(help: "Print JSON.")
  var json = false

  func run() throws {
    let client = try mesh.client()
    let id = try argument.id(client)
    try confirmation.confirm("cancel job \(id)") {
      guard case .status(let status) = try client.call(.status(id)).orThrow() else {
        return "cancel job \(id)"
      }
      let job = status.summary
      let done = job.total > 0 ? ", \(percent(job.folded, of: job.total)) done" : ""
      return "cancel job \(id) of \(printable(job.client)), \(job.state.name)\(done)"
    }
    guard case .status(let status) = try client.call(.cancel(id)).orThrow() else { return }
    if json { return printJSON(JobView(status)) }
    print("job \(id) is \(status.summary.state.name)")
  }
}
