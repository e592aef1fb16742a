internal import ArgumentParser
internal import MeshCore
internal import MeshRuntime
internal import MeshView

/// `attnmesh remove`.
struct Remove: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Remove jobs that have ended, with their results.",
    discussion: """
      Nothing is left of them: neither in the list nor in the store. A job that waits or runs has to be
      cancelled first. Asks first, on a terminal; elsewhere --yes has to be given.

      Examples:
        attnmesh remove 3f2a91c4
        attnmesh remove --older-than 7d --state failed,cancelled --yes
      """.prose)

  @Argument(help: "Ids of jobs, or their first digits.")
  var jobs: [String] = []
  @Option(help: "All jobs that have ended and were submitted so long ago: 90s, 30m, 12h, 7d.")
  var olderThan: String?
  @Option(help: "With --older-than: only those in this state; several with commas.")
  var state: String?
  @OptionGroup var confirmation: ConfirmationOptions
  @OptionGroup(title: "Mesh") var mesh: MeshOptions
  @Flag(help: "Print JSON.") var json = false

  func run() throws {
    guard jobs.isEmpty != (olderThan == nil) else {
      throw MeshError(.badInput, "give ids of jobs, or --older-than, and not both")
    }
    guard state == nil || olderThan != nil else {
      throw MeshError(.badInput, "--state goes with --older-than")
    }
    let states = try states()
    let client = try mesh.client()
    var found: [JobID] = []
    if let olderThan {
      guard let seconds = PointInTime.duration(olderThan) else {
        throw MeshError(
          .badInput, "--older-than \(olderThan): it must be a time such as 90s, 30m, 12h or 7d")
      }
      found = try client.jobs(in: states).jobs.filter { $0.ageSeconds >= seconds }.map(\.job)
    }
    for text in jobs {
      let job = try client.job(text)
      if !found.contains(job) { found.append(job) }
    }
    let what = "remove \(found.count) \(found.count == 1 ? "job" : "jobs")"
    if !found.isEmpty { try confirmation.confirm(what) { try question(what, found, client) } }
    var removed: [String] = []
    for job in found {
      _ = try client.call(.remove(job)).orThrow()
      removed.append("\(job)")
      if !json { print("job \(job) is removed") }
    }
    if json { return printJSON(RemovedView(removed: removed)) }
    if found.isEmpty { print("no job is that old") }
  }

  private func question(_ what: String, _ jobs: [JobID], _ client: MeshClient) throws -> String {
    guard jobs.count == 1, case .status(let status) = try client.call(.status(jobs[0])).orThrow()
    else { return "\(what) with their results" }
    let job = status.summary
    let result = job.result.state == .kept ? ", whose result is kept" : ""
    return "remove job \(job.job) of \(printable(job.client)), \(job.state.name)\(result)"
  }

  private func states() throws(MeshError) -> [JobState] {
    let ended = JobState.allCases.filter(\.isTerminal)
    guard let state else { return ended }
    var states: [JobState] = []
    for name in state.split(separator: ",") {
      states.append(try choice(String(name), "--state", of: ended, named: \.name))
    }
    return states
  }

  private struct RemovedView: Encodable {
    var removed: [String]
  }
}
