internal import ArgumentParser
internal import MeshCore
internal import MeshRuntime
internal import MeshView

/// `attnmesh status`.
struct Status: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show how the mesh is, on one screen.",
    discussion: "The coordinator, its workers and jobs, the job that runs, and the last alarms.")

  @OptionGroup(title: "Mesh") var mesh: MeshOptions
  @Flag(help: "Print JSON.") var json = false

  func run() throws {
    guard case .mesh(let status) = try mesh.client().call(.mesh).orThrow() else { return }
    if json { return printJSON(MeshStatusView(status, endpoint: mesh.endpoint)) }
    for line in status.lines(endpoint: mesh.endpoint) { print(line) }
  }
}

/// What `status --json` prints.
struct MeshStatusView: Encodable {
  struct Running: Encodable {
    var summary: SummaryView
    var protection: String
  }

  struct Alarm: Encodable {
    var level: String
    var event: EventView
  }

  var endpoint: String
  var version: String
  var protocolVersion: Int
  var term: UInt64
  var uptimeSeconds: Double
  var loopLagSeconds: Double
  var storeBytes: Int
  var storeQuotaBytes: Int
  var persistent: Bool
  var workers: [String: Int]
  var jobs: [String: Int]
  var running: Running?
  var alarms: [Alarm]

  init(_ status: MeshStatus, endpoint: String) {
    self.endpoint = endpoint
    version = status.version
    protocolVersion = status.protocolVersion
    term = status.term
    uptimeSeconds = status.uptimeSeconds
    loopLagSeconds = status.loopLagSeconds
    storeBytes = status.storeBytes
    storeQuotaBytes = status.storeQuotaBytes
    persistent = status.isPersistent
    workers = Dictionary(
      status.workers.map { ($0.standing.name, $0.count) }, uniquingKeysWith: +)
    jobs = Dictionary(status.jobs.map { ($0.state.name, $0.count) }, uniquingKeysWith: +)
    running = status.running.map {
      Running(summary: SummaryView($0.summary), protection: $0.protection.name)
    }
    alarms = status.alarms.map {
      Alarm(level: $0.observation.kind.level.name, event: EventView($0))
    }
  }
}
