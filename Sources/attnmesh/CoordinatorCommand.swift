internal import ArgumentParser
internal import Foundation
internal import MeshCore
internal import MeshHTTP
internal import MeshRuntime

/// `attnmesh coordinator`: runs one, unless another verb follows.
struct CoordinatorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "coordinator",
    abstract: "Run a coordinator: takes jobs and gives them to workers.",
    usage: """
      attnmesh coordinator [<options>]
      attnmesh coordinator <subcommand>
      """,
    discussion: """
      Jobs of several clients run one after another, each on all workers. Inputs and results stay in
      the store until they are fetched or expire. The data socket listens one port above --listen.
      With --store, jobs outlive this process: started again on the same store it goes on with them,
      and workers go on folding in the meantime.

      Example:
        attnmesh coordinator --store /var/lib/attnmesh
      """.prose,
    subcommands: [CoordinatorBackup.self, CoordinatorRestore.self, CoordinatorRun.self])

  @Option(help: "Control address. (or ATTNMESH_LISTEN)")
  var listen: String?

  @Option(help: "Address under which workers and clients reach it, if it isn't --listen.")
  var advertise: String?

  @OptionGroup var storage: StoreOption

  @Option(help: "Bytes the store may take, such as 100G; a bare number is bytes.")
  var quota = "64G"

  @Option(help: "Hours for which a result is kept that nobody fetches.")
  var retention = 24.0

  @Option(
    help: ArgumentHelp(
      "Workers that jobs wait for, a minute at most: a job is cut for those who are here when it begins."
    ))
  var minWorkers = 0

  @Option(help: "What to do about a worker that takes twice as long as others: report or rehost.")
  var stragglers = "report"

  @Option(help: "Its key file, made by `attnmesh keygen`. (or ATTNMESH_IDENTITY)")
  var identity: String?

  @Option(
    help: ArgumentHelp(
      "Who is admitted: lines of ROLE NAME PUBLICKEY; read again when it changes."
        + " (or ATTNMESH_ALLOW)"))
  var allow: String?

  @Option(
    help: """
      Where to serve health, metrics and the live page: ADDR:PORT, or off. (or ATTNMESH_HTTP; default: \
      on loopback, two ports above --listen)
      """)
  var http: String?

  @OptionGroup var insecurity: InsecureFlag

  @OptionGroup(title: "Log") var logging: LogOptions

  func run() throws {
    let listen = listen ?? environment("ATTNMESH_LISTEN") ?? MeshOptions.defaultEndpoint
    let gate = try gate()
    try insecurity.check(listen: listen, hasKeys: gate != nil)
    guard retention > 0, retention <= 24 * 365 else {
      throw MeshError(.badInput, "--retention \(retention): it must be 0 to 8760 hours")
    }
    guard (0...Limits.workersMaximum).contains(minWorkers) else {
      throw MeshError(
        .badInput, "--min-workers \(minWorkers): it must be 0 to \(Limits.workersMaximum)")
    }
    let log = try logging.log()
    let interruption = Interruption()
    ProcessLimits.raiseOpenFiles()
    let board = StatusBoard<CoordinatorReport>()
    let site = try webAddress(http ?? environment("ATTNMESH_HTTP"), beside: listen)
    let service = try CoordinatorService(
      CoordinatorService.Configuration(
        controlEndpoint: listen, dataEndpoint: try nextPort(listen, "--listen"),
        advertised: try advertise.map { text throws(MeshError) in
          _ = try nextPort(text, "--advertise")
          return text
        },
        store: storage.store ?? environment("ATTNMESH_STORE"),
        diskQuotaBytes: try byteCount(quota, "--quota", atLeast: Limits.quotaMinimum),
        retention: .milliseconds(Int64(retention * 3_600_000)),
        stragglers: try choice(
          stragglers, "--stragglers", of: StragglerPolicy.allCases, named: \.rawValue),
        workersMinimum: minWorkers, gate: gate, log: log, board: site.map { _ in board }))
    // After the mesh's own sockets: of two coordinators at one address the second one is told of that.
    let web: HTTPService?
    do throws(MeshError) {
      web = try site.map { site throws(MeshError) in try webService(site, .coordinator(board)) }
    } catch {
      service.stop()
      throw error
    }
    log.write(Observation(.started, detail: "coordinator, limits: \(Limits.summary)"))
    if !logging.quiet {
      Attnmesh.complain(
        "coordinator at \(service.controlEndpoint), data at \(service.dataEndpoint); workers join"
          + " with: attnmesh worker --coordinator \(service.toldEndpoint)")
      if let web { Attnmesh.complain("live page at http://\(web.address.local)/") }
    }
    interruption.wait()
    log.write(Observation(.stopping, detail: "coordinator, by \(interruption.cause)"))
    web?.stop()
    service.stop()
  }

  private func gate() throws(MeshError) -> AllowGate? {
    let identity = identity ?? environment("ATTNMESH_IDENTITY")
    let allow = allow ?? environment("ATTNMESH_ALLOW")
    switch (identity, allow) {
    case (let identity?, let allow?):
      let file = try KeyFile(reading: identity)
      guard file.role == "coordinator" else {
        throw MeshError(
          .badInput,
          "--identity \(identity): it is a \(file.role)'s; a coordinator's is made with"
            + " `attnmesh keygen --role coordinator`")
      }
      return try AllowGate(keys: file.keys, allow: allow)
    case (nil, nil): return nil
    case (_?, nil): throw MeshError(.badInput, "--identity goes with --allow: who is admitted?")
    case (nil, _?): throw MeshError(.badInput, "--allow goes with --identity")
    }
  }
}

/// `attnmesh coordinator run`: the same, as it was once called.
struct CoordinatorRun: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "run", shouldDisplay: false)

  @ParentCommand var coordinator: CoordinatorCommand

  func run() throws { try coordinator.run() }
}
