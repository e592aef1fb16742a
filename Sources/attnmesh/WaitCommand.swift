internal import ArgumentParser
internal import MeshCore
internal import MeshRuntime
internal import ZeroMQ

/// `attnmesh wait`.
struct Wait: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Wait until a job has ended.",
    discussion: """
      Ends with 0 when the job is done, with 1 when it failed or was cancelled, and with 124 when
      --timeout has passed: the job goes on then.

      Example:
        attnmesh wait $job --timeout 600 && attnmesh result $job --output o.npy
      """.prose)

  @OptionGroup var argument: JobArgument
  @Option(help: "Seconds to wait for the job's end at most; 0 only looks. (default: without end)")
  var timeout: Double?
  @OptionGroup(title: "Mesh") var mesh: CoordinatorOptions
  @OptionGroup var patience: PatienceOptions
  @Flag(help: "No output; errors still show.") var quiet = false
  @Flag(help: "Print JSON: the job at the end.") var json = false

  func run() throws {
    if let timeout, !(0...1e8).contains(timeout) {
      throw MeshError(.badInput, "--timeout \(timeout): it must be 0 to 100000000 seconds")
    }
    let end = timeout.map { MonotonicClock.now + .milliseconds(Int64($0 * 1_000)) }
    let client = try mesh.client(patience: patience)
    if !quiet { client.notify = { Attnmesh.complain($0) } }
    let interruption = Interruption()
    func isLate() -> Bool { end.map { MonotonicClock.now >= $0 } ?? false }
    let job = try argument.id(client)
    // Looked at once, however short the time is.
    let look = RemoteJob(job, client: client, isCancelled: { interruption.isRequested })
    var status = try look.status()
    if !status.summary.state.isTerminal {
      let remote = RemoteJob(
        job, client: client, isCancelled: { interruption.isRequested || isLate() })
      do throws(MeshError) {
        status = try remote.wait(interval: .seconds(10)) { status = $0 }
      } catch {
        switch error.kind {
        case .interrupted where !interruption.isRequested:
          throw MeshError(
            .timedOut,
            "job \(job) is \(status.summary.state.name) after --timeout of \(timeout ?? 0) s; it goes on"
          )
        // Told below, as of a job that had ended before.
        case .jobFailed where status.summary.state.isTerminal: break
        default: throw error
        }
      }
    }
    try tell(status)
  }

  private func tell(_ status: JobStatus) throws(MeshError) {
    if json, !quiet { printJSON(JobView(status)) }
    let job = status.summary
    guard job.state == .done else {
      throw MeshError(.jobFailed, "job \(job.job) is \(job.state.name): \(job.reason)")
    }
    if !quiet, !json { print("job \(job.job) is done") }
  }
}
