internal import ArgumentParser
internal import MeshCore
internal import MeshRuntime

/// Where something is computed: in this process, by workers on this machine, or on a mesh.
struct PlaceOptions: ParsableArguments {
  @Option(help: "Compute with a coordinator and this many worker processes on this machine.")
  var workers: Int?

  @Option(
    help: "Compute on the mesh of this coordinator: tcp://HOST:PORT. (or ATTNMESH_COORDINATOR)")
  var coordinator: String?

  @Flag(help: "Compute on this machine, whatever ATTNMESH_COORDINATOR says.")
  var local = false

  @OptionGroup var keys: KeyOptions

  @Option(help: "Compute threads per worker. (default: the cores, shared out)")
  var threads: Int?

  @Option(help: "With --workers: further processes that stand in for workers that are lost.")
  var spares = 0

  @OptionGroup var protection: ProtectionOptions
  @OptionGroup var timeout: TimeoutOptions
  @OptionGroup var patience: PatienceOptions

  @Option(help: "Seconds after which the job fails, whatever its state.")
  var deadline: Double?

  /// - Throws: bad input: what can't be, or excludes each other.
  func check() throws(MeshError) {
    guard workers == nil || coordinator == nil else {
      throw MeshError(.badInput, "--workers and --coordinator exclude each other: give one")
    }
    guard !local || coordinator == nil else {
      throw MeshError(.badInput, "--local and --coordinator exclude each other: give one")
    }
    if let threads, !(1...1_024).contains(threads) {
      throw MeshError(.badInput, "--threads \(threads): it must be 1 to 1024")
    }
    guard (0...Limits.workersMaximum).contains(spares), spares == 0 || workers != nil else {
      throw MeshError(.badInput, "--spares \(spares): it goes with --workers, and isn't negative")
    }
    if let workers, !(1...Limits.workersMaximum).contains(workers) {
      throw MeshError(
        .badInput, "--workers \(workers): it must be 1 to \(Limits.workersMaximum)")
    }
    _ = try protection.isOn()
    _ = try checkedDeadline(deadline)
    _ = try patience.duration()
    _ = try timeout.duration()
  }

  /// Whether it is this process.
  var isThisProcess: Bool {
    workers == nil && (local || (coordinator ?? MeshOptions.environmentEndpoint) == nil)
  }

  /// The mesh that is asked for by flag or environment; nil where this machine computes.
  func remoteClient() throws(MeshError) -> MeshClient? {
    guard !local, let coordinator = coordinator ?? MeshOptions.environmentEndpoint else {
      return nil
    }
    return try MeshClient(
      endpoint: coordinator, name: MeshOptions.clientName,
      credentials: try keys.credentials(for: coordinator), timeout: try timeout.duration(),
      patience: try patience.duration())
  }

  func threadsPerWorker(_ workers: Int) -> Int {
    threads ?? max(1, ProcessLimits.processors / workers)
  }

  /// Does something with a mesh on this machine, which lives as long as that takes.
  ///
  /// - Parameters:
  ///   - bytesPerWorker: of memory that each is given.
  ///   - body: given a client, and what to ask whether all workers are lost.
  /// - Throws: what `body` throws or, if all workers were lost, that.
  func withLocalMesh<Result>(
    of workers: Int, bytesPerWorker: Int, isProtected: Bool, _ interruption: Interruption,
    _ body: (MeshClient, _ isOver: @escaping () -> Bool) throws -> Result
  ) throws -> Result {
    let mesh = try LocalMesh(
      LocalMesh.Configuration(
        workers: workers, threadsPerWorker: threadsPerWorker(workers),
        memoryBytesPerWorker: bytesPerWorker, spares: spares, hasCheckpoints: isProtected))
    defer { mesh.stop() }
    let client = try MeshClient(endpoint: mesh.controlEndpoint, name: MeshOptions.clientName)
    try client.waitForWorkers(workers + spares, isCancelled: { interruption.isRequested })
    do {
      return try body(client, { mesh.lossOfAll != nil })
    } catch {
      throw mesh.lossOfAll ?? error
    }
  }
}
