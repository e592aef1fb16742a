internal import ArgumentParser
internal import AttentionKernels
internal import CheckpointFiles
internal import Foundation
internal import MeshCore
internal import MeshHTTP
internal import MeshRuntime

/// `attnmesh worker`.
struct WorkerCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "worker",
    abstract: "Run a worker: folds tiles for a coordinator's jobs.",
    discussion: """
      SIGTERM and Ctrl-C relieve it first: it hands over what it has folded, and then ends. A second
      signal ends it at once; others go on from the last copy.

      Example:
        attnmesh worker --coordinator tcp://127.0.0.1:7700 --threads 8
      """.prose)

  @OptionGroup var mesh: CoordinatorOptions

  @Option(help: "Address at which it serves tiles to other workers.")
  var listen = "tcp://127.0.0.1:*"

  @Option(
    help:
      "Address under which others reach it. (default: --listen, or the host's name if that is 0.0.0.0)"
  )
  var advertise: String?

  @Option(help: "Name in tables, logs and errors. (default: host, process id and something random)")
  var name: String?

  @Option(help: "Compute threads. (default: all processors, or its container's share)")
  var threads: Int?

  @Option(
    help:
      "Memory it may use, such as 16G; a bare number is bytes. (default: what is available now)")
  var memory: String?

  @Option(
    help: "Directory for checkpoints; shared with other workers if it can be. (default: none)")
  var checkpoints: String?

  @Option(help: "Machine it runs on: copies are kept on another one. (default: the host's name)")
  var machine: String?

  @Option(help: "Where to serve health and metrics: ADDR:PORT, or off.")
  var http = "off"

  @Flag(help: "Take part only in place of a worker that was lost.")
  var spare = false

  @OptionGroup(title: "Log") var logging: LogOptions

  @Option(help: .hidden)
  var lifeline: String?

  @Option(help: .hidden)
  var modelPairsPerSecond: Double?

  @Option(help: .hidden)
  var modelLinkBytesPerSecond: Double?

  func run() throws {
    CrashSignals.endAtOnce()
    let credentials = try mesh.keys.credentials(for: mesh.endpoint)
    try mesh.keys.insecurity.check(listen: listen, hasKeys: credentials != nil)
    ProcessMemory.keepNoLargeBlocks()
    let interruption = Interruption()
    if let lifeline { try watchLifeline(directory: lifeline) }
    if let name { try checkName(name, "--name") }
    let name = name ?? OwnName.worker()
    if let machine { try checkName(machine, "--machine") }
    let threads = threads ?? ProcessLimits.processors
    guard (1...1_024).contains(threads) else {
      throw MeshError(.badInput, "--threads \(threads): it must be 1 to 1024")
    }
    // One that `attend` starts has the share of what there is that it was given.
    let least = lifeline == nil ? Limits.workerMemoryMinimum : 1
    let memory = try memory.map { text throws(MeshError) in
      try byteCount(text, "--memory", atLeast: least)
    }
    // One that `attend` starts says nothing.
    let log = lifeline == nil ? try logging.log() : ObservationLog()
    let board = StatusBoard<WorkerReport>()
    let site = try webAddress(http, beside: nil)
    let service = try WorkerService(
      WorkerService.Configuration(
        name: name, coordinator: mesh.endpoint, listen: listen, advertised: advertise,
        threads: threads, memoryBytes: memory ?? ProcessMemory.availableBytes,
        kernel: AttentionKernel(level: try KernelLevel.chosen()),
        checkpoints: try checkpoints.map { path throws(MeshError) in
          try CheckpointDirectory.open(path)
        }, machine: machine ?? OwnName.machine(),
        isSpare: spare, credentials: credentials, model: model, log: log,
        board: site.map { _ in board }))
    do throws(MeshError) {
      let web = try site.map { site throws(MeshError) in try webService(site, .worker(board)) }
      if let web, !logging.quiet {
        Attnmesh.complain("metrics at http://\(web.address.local)/metrics")
      }
    } catch {
      service.stop()
      throw error
    }
    log.write(
      Observation(.started, worker: name, detail: "worker, limits: \(Limits.summary)"))
    // Ends by a signal, or when the coordinator refuses it.
    var ended = interruption.wait { service.ended }
    if ended == nil {
      log.write(
        Observation(
          .stopping, worker: name,
          detail:
            "by \(interruption.cause): it hands over what it has; a second signal ends it at once"))
      service.relieve()
      // The core gives up before that; a second signal ends the process at once.
      ended = interruption.waitOn(upTo: 90) { service.ended }
    }
    switch ended {
    case .refused(let reason):
      Attnmesh.end("\(mesh.endpoint) refuses this worker: \(reason)", .badInput)
    case .fenced(let reason):
      // Its compute threads are not waited for: they would never come.
      Attnmesh.end("\(mesh.endpoint) has ended this worker: \(reason)", .jobFailed)
    case .stopped, .left, nil: service.stop()
    }
  }

  private func checkName(_ name: String, _ flag: String) throws(MeshError) {
    guard (1...Limits.nameBytesMaximum).contains(name.utf8.count),
      name.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control })
    else {
      throw MeshError(
        .badInput,
        "\(flag): it must have 1 to \(Limits.nameBytesMaximum) bytes, on one line")
    }
  }

  private var model: WorkerService.Model? {
    guard let modelPairsPerSecond else { return nil }
    return WorkerService.Model(
      pairsPerSecond: modelPairsPerSecond,
      linkBytesPerSecond: modelLinkBytesPerSecond ?? 1e12)
  }
}
