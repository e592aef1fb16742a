internal import ArgumentParser
internal import AttentionKernels
internal import Foundation
internal import MeshCore
internal import MeshRuntime

/// `attnmesh worker`.
struct WorkerCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "worker",
    abstract: "Run a worker: folds tiles for a coordinator's jobs.",
    discussion: """
      Example:
        attnmesh worker --coordinator tcp://127.0.0.1:7700 --threads 8
      """)

  @OptionGroup var mesh: MeshOptions

  @Option(help: "Address at which it serves tiles to other workers.")
  var listen = "tcp://127.0.0.1:*"

  @Option(help: "Address under which others reach it, if it isn't --listen.")
  var advertise: String?

  @Option(help: "Name in tables, logs and errors. (default: host and process id)")
  var name: String?

  @Option(help: "Compute threads. (default: all cores)")
  var threads: Int?

  @Option(help: "Memory it may use, such as 16G. (default: what is available now)")
  var memory: String?

  @Flag(help: "Listen on an address that others can reach, without keys.")
  var insecure = false

  @Flag(help: "No log on standard error.")
  var quiet = false

  @Option(help: .hidden)
  var lifeline: String?

  @Option(help: .hidden)
  var modelPairsPerSecond: Double?

  @Option(help: .hidden)
  var modelLinkBytesPerSecond: Double?

  func run() throws {
    try checkListen(listen, insecure: insecure)
    ProcessMemory.keepNoLargeBlocks()
    let interruption = Interruption()
    if let lifeline { try watchLifeline(directory: lifeline) }
    let process = ProcessInfo.processInfo
    let name = name ?? "\(process.hostName)-\(process.processIdentifier)"
    guard (1...Limits.nameBytesMaximum).contains(name.utf8.count),
      name.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control })
    else {
      throw MeshError(
        .badInput,
        "--name: it must have 1 to \(Limits.nameBytesMaximum) bytes, on one line")
    }
    let threads = threads ?? process.activeProcessorCount
    guard (1...1_024).contains(threads) else {
      throw MeshError(.badInput, "--threads \(threads): it must be 1 to 1024")
    }
    let memory = try memory.map { text throws(MeshError) in try byteCount(text, "--memory") }
    let service = try WorkerService(
      WorkerService.Configuration(
        name: name, coordinator: mesh.endpoint, listen: listen, advertised: advertise,
        threads: threads, memoryBytes: memory ?? ProcessMemory.availableBytes,
        kernel: AttentionKernel(level: try KernelLevel.chosen()), model: model,
        log: ObservationLog(isOn: !quiet && lifeline == nil)))
    // Ends by a signal, or when the coordinator refuses it.
    let refused = interruption.wait { service.endedReason }
    service.stop()
    if let refused {
      throw MeshError(.badInput, "\(mesh.endpoint) refuses this worker: \(refused)")
    }
  }

  private var model: WorkerService.Model? {
    guard let modelPairsPerSecond else { return nil }
    return WorkerService.Model(
      pairsPerSecond: modelPairsPerSecond,
      linkBytesPerSecond: modelLinkBytesPerSecond ?? 1e12)
  }
}
