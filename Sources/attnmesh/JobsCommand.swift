internal import ArgumentParser
internal import Foundation
internal import MeshCore
internal import MeshRuntime
internal import MeshView

/// `attnmesh jobs`.
struct Jobs: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List the jobs of a coordinator, the newest first.",
    discussion: """
      Times are in UTC. RESULT says until when a result is kept, or what became of it.

      Examples:
        attnmesh jobs --state queued,running
        attnmesh jobs --limit 20 --watch
      """.prose)

  @Option(help: "Only so many, the newest. (default: all)")
  var limit: Int?
  @Option(help: "Only jobs in this state, such as running or failed; several with commas.")
  var state: String?
  @OptionGroup(title: "Mesh") var mesh: MeshOptions
  @Flag(help: "Go on, and look every second: on a terminal until q or Ctrl-C.")
  var watch = false
  @Flag(help: "Print JSON; with --watch one list a line.") var json = false

  func run() throws {
    if let limit, limit < 1 {
      throw MeshError(.badInput, "--limit \(limit): it must be 1 or more")
    }
    let states = try states()
    let client = try mesh.client()
    let interruption = Interruption()
    func look() throws(MeshError) -> JobPage {
      try client.jobs(in: states, limit: limit, isCancelled: { interruption.isRequested })
    }
    guard watch else {
      let page = try look()
      if json { return printJSON(page.jobs.map { SummaryView($0) }) }
      for line in lines(page) { print(line) }
      return
    }
    if !json, isatty(STDOUT_FILENO) == 1 { return try show(look, interruption) }
    var last: JobPage?
    repeat {
      let page = try look()
      // A reader at the other end of a pipe wants to see it at once.
      defer { endWithReader() }
      if json {
        printJSON(page.jobs.map { SummaryView($0) }, isPretty: false)
      } else if page.differs(from: last) {
        for line in lines(page) { print(line) }
      }
      last = page
    } while !interruption.wait(upTo: 1)
    throw MeshError(.interrupted, "interrupted")
  }

  private func states() throws(MeshError) -> [JobState] {
    guard let state else { return [] }
    var states: [JobState] = []
    for name in state.split(separator: ",") {
      states.append(try choice(String(name), "--state", of: JobState.allCases, named: \.name))
    }
    return states
  }

  private func show(
    _ look: () throws(MeshError) -> JobPage, _ interruption: Interruption
  ) throws(MeshError) {
    var page = try look()
    let screen = try Screen()
    defer { screen.restore() }
    while !interruption.isRequested {
      let (width, height) = screen.size
      screen.draw(lines(page).prefix(height - 1).map { cell($0, width) })
      if screen.key(within: 1) == UInt8(ascii: "q") { return }
      do throws(MeshError) {
        page = try look()
      } catch {
        // The coordinator may be restarted: what was last seen stays.
        guard error.kind == .unreachable else { throw error }
      }
    }
  }

  private func lines(_ page: JobPage) -> [String] {
    if page.jobs.isEmpty { return [state == nil ? "no jobs" : "no jobs in that state"] }
    let rest = page.total - page.jobs.count
    return table(
      [
        "JOB", "STATE", "TILES", "SUBMITTED", "AGE", "DEADLINE", "RESULT", "NAME", "CLIENT",
        "SHAPE",
        "REASON",
      ],
      page.jobs.map { job in
        [
          "\(job.job)", job.state.name, "\(job.folded)/\(job.total)", utc(job.submittedAt),
          age(job.ageSeconds), job.deadlineAt.map { utc($0) } ?? "-",
          job.result.line.isEmpty ? "-" : printable(job.result.line), printable(job.name),
          printable(job.client), printable(job.shapeText), printable(job.reason),
        ]
      }) + (rest > 0 ? ["… and \(rest) older"] : [])
  }
}

extension JobPage {
  /// Whether somebody who looks would want to see it again: not just because it is a second later.
  fileprivate func differs(from other: JobPage?) -> Bool {
    func settled(_ page: JobPage) -> JobPage {
      var page = page
      for index in page.jobs.indices {
        (page.jobs[index].ageSeconds, page.jobs[index].wallSeconds) = (0, 0)
        // By a clock that may be corrected.
        page.jobs[index].result.at = page.jobs[index].result.at?.rounded()
        page.jobs[index].deadlineAt = page.jobs[index].deadlineAt?.rounded()
      }
      return page
    }
    return other.map { settled($0) != settled(self) } ?? true
  }
}
