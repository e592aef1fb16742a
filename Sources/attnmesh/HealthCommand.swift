internal import ArgumentParser
internal import Foundation
internal import MeshHTTP
internal import MeshRuntime

/// `attnmesh health`.
struct Health: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Ask a coordinator or worker whether it gets on.",
    discussion: """
      Asks /healthz at --http and prints one line: healthy means that its loop goes round, its state
      gets to disk and its compute threads get work done, not only that something answers.

      Example:
        attnmesh health --http 127.0.0.1:7702

      Exit codes: 0 healthy, 1 not healthy, 3 nobody answers.
      """.prose)

  @Option(help: "The address that was given to it as --http. (or ATTNMESH_HTTP)")
  var http: String?

  @Flag(help: "No output; errors still show.") var quiet = false
  @Flag(help: "Print JSON: also of one that isn't healthy.") var json = false

  func run() throws {
    let text =
      http ?? ProcessInfo.processInfo.environment["ATTNMESH_HTTP"] ?? HTTPAddress.standard
    let address = try HTTPAddress(text, flag: "--http")
    let (isHealthy, answer) = try HealthQuery.ask(address)
    if json, !quiet {
      printJSON(HealthView(http: "\(address)", healthy: isHealthy, answer: answer))
    }
    guard isHealthy else { throw MeshError(.jobFailed, "not healthy: \(answer)") }
    if !quiet, !json { print("healthy: \(answer)") }
  }

  private struct HealthView: Encodable {
    var http: String
    var healthy: Bool
    var answer: String
  }
}

extension HTTPAddress {
  /// Beside the coordinator's standard address.
  static let standard = "127.0.0.1:7702"
}

/// Where a site is served; nil when it is off.
///
/// - Parameters:
///   - flag: nil when none was given.
///   - listen: where the mesh listens, by which the default is chosen; nil for none.
func webAddress(
  _ flag: String?, beside listen: String?
) throws(MeshError) -> HTTPAddress? {
  guard let text = flag ?? listen.flatMap(defaultHTTP), text != "off" else { return nil }
  return try HTTPAddress(text, flag: "--http")
}

/// Serves a site there.
func webService(_ address: HTTPAddress, _ site: Site) throws(MeshError) -> HTTPService {
  let service = try HTTPService(address, site)
  if !address.isLoopback {
    Attnmesh.complain(
      "warning: --http \(service.address): everybody who reaches this address can read health,"
        + " metrics and names of jobs, workers and clients; there is no encryption")
  }
  return service
}

/// Loopback, two ports above; nothing where the port isn't known beforehand.
private func defaultHTTP(_ listen: String) -> String? {
  guard let port = (try? Endpoint(listen, flag: ""))?.port, port <= 65_533 else { return nil }
  return "127.0.0.1:\(port + 2)"
}
