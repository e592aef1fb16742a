internal import ArgumentParser
internal import Foundation
internal import MeshCore
internal import MeshRuntime

/// What a service logs, and how.
struct LogOptions: ParsableArguments {
  @Option(
    help: """
      Log to standard error what is at least this: error, warning, notice, info, debug or trace. \
      (or ATTNMESH_LOG_LEVEL; default: info)
      """)
  var logLevel: String?

  @Option(help: "Log lines as text or json. (or ATTNMESH_LOG_FORMAT; default: text)")
  var logFormat: String?

  @Flag(help: "Log errors only.")
  var quiet = false

  func log() throws(MeshError) -> ObservationLog {
    let environment = ProcessInfo.processInfo.environment
    if quiet, logLevel != nil {
      throw MeshError(.badInput, "--quiet is --log-level error: give one of them")
    }
    let level = try choice(
      logLevel ?? environment["ATTNMESH_LOG_LEVEL"] ?? "info",
      logLevel == nil ? "ATTNMESH_LOG_LEVEL" : "--log-level", of: Observation.Level.allCases,
      named: \.name)
    let format = try choice(
      logFormat ?? environment["ATTNMESH_LOG_FORMAT"] ?? "text",
      logFormat == nil ? "ATTNMESH_LOG_FORMAT" : "--log-format",
      of: ObservationLog.Format.allCases, named: \.rawValue)
    return ObservationLog(level: quiet ? .error : level, format: format)
  }
}
