internal import ArgumentParser
internal import Foundation
internal import MeshCore
internal import MeshRuntime

/// Where the mesh is: the same flags on every verb; each has an environment variable.
struct CoordinatorOptions: ParsableArguments {
  @Option(help: "The coordinator: tcp://HOST:PORT. (or ATTNMESH_COORDINATOR)")
  var coordinator: String?

  @OptionGroup var keys: KeyOptions

  var endpoint: String {
    coordinator ?? MeshOptions.environmentEndpoint ?? MeshOptions.defaultEndpoint
  }

  /// - Parameters:
  ///   - timeout: nil for the usual one.
  ///   - patience: for who follows a job, also over a restart of its coordinator.
  func client(
    timeout: TimeoutOptions? = nil, patience: PatienceOptions? = nil
  ) throws(MeshError) -> MeshClient {
    try MeshClient(
      endpoint: endpoint, name: MeshOptions.clientName,
      credentials: try keys.credentials(for: endpoint),
      timeout: try timeout?.duration() ?? .seconds(3),
      patience: try patience?.duration() ?? .seconds(60))
  }
}

/// Where the mesh is, and how long to wait for it: for whoever asks it something.
struct MeshOptions: ParsableArguments {
  @OptionGroup var address: CoordinatorOptions
  @OptionGroup var timeout: TimeoutOptions

  var keys: KeyOptions { address.keys }
  var endpoint: String { address.endpoint }

  static let defaultEndpoint = "tcp://127.0.0.1:7700"

  static var environmentEndpoint: String? {
    ProcessInfo.processInfo.environment["ATTNMESH_COORDINATOR"]
  }

  func client() throws(MeshError) -> MeshClient {
    try address.client(timeout: timeout)
  }

  /// A client that follows a job, also over a restart of its coordinator.
  func client(_ patience: PatienceOptions) throws(MeshError) -> MeshClient {
    try address.client(timeout: timeout, patience: patience)
  }

  /// user@host: for people, and for fair queueing.
  static var clientName: String {
    let process = ProcessInfo.processInfo
    return String("\(process.userName)@\(process.hostName)".prefix(Limits.nameBytesMaximum))
  }
}

/// How long a coordinator may take to answer.
struct TimeoutOptions: ParsableArguments {
  @Option(
    help: """
      Seconds to wait for an answer. Where nothing listens on this machine, nobody is waited for; what \
      changes something may take longer on a connection that stands.
      """)
  var timeout = 3.0

  func duration() throws(MeshError) -> Duration {
    guard timeout >= 0.1, timeout <= 1e6 else {
      throw MeshError(.badInput, "--timeout \(timeout): it must be 0.1 to 1000000 seconds")
    }
    return .milliseconds(Int64(timeout * 1_000))
  }
}

/// How long a job is followed whose coordinator has gone.
struct PatienceOptions: ParsableArguments {
  @Option(help: "Seconds to wait for a coordinator that goes away while the job is followed.")
  var patience = 60.0

  func duration() throws(MeshError) -> Duration {
    guard patience >= 1, patience <= 1e6 else {
      throw MeshError(.badInput, "--patience \(patience): it must be 1 to 1000000 seconds")
    }
    return .milliseconds(Int64(patience * 1_000))
  }
}

/// A job id as an argument.
struct JobArgument: ParsableArguments {
  @Argument(help: "The job's id, as `attnmesh jobs` shows it; its first digits do.")
  var job: String

  func id(_ client: MeshClient) throws(MeshError) -> JobID { try client.job(job) }
}

/// The endpoint one port further: a coordinator's data socket stands beside its control socket.
func nextPort(_ text: String, _ flag: String) throws(MeshError) -> String {
  let endpoint = try Endpoint(text, flag: flag)
  if case .path = endpoint.host {
    throw MeshError(.badInput, "\(flag) \(text): it must be tcp://ADDR:PORT")
  }
  guard endpoint.port != 65_535 else {
    throw MeshError(.badInput, "\(flag) \(text): the port must be 1 to 65534, or * for any")
  }
  return "\(endpoint.next)"
}

/// A byte count with an optional unit: 512M, 16G, 1000000.
///
/// - Parameter least: what makes sense; a smaller number mostly lacks its unit.
func byteCount(_ text: String, _ flag: String, atLeast least: Int = 1) throws(MeshError) -> Int {
  let units: [Character: Int] = ["K": 10, "M": 20, "G": 30, "T": 40]
  let shift = text.last.flatMap { units[Character($0.uppercased())] }
  let digits = shift == nil ? Substring(text) : text.dropLast()
  guard let number = Int(digits), number > 0,
    case let (bytes, overflow) = number.multipliedReportingOverflow(by: 1 << (shift ?? 0)),
    !overflow
  else {
    throw MeshError(.badInput, "\(flag) \(text): it must be a count of bytes, such as 16G")
  }
  guard bytes >= least else {
    let hint = shift == nil ? "; a number without K, M, G or T counts bytes" : ""
    throw MeshError(
      .badInput,
      "\(flag) \(text): \(MeshCore.bytes(bytes)) is too little, the least is"
        + " \(MeshCore.bytes(least))\(hint)")
  }
  return bytes
}
