internal import ArgumentParser
internal import Foundation
internal import MeshCore
internal import MeshRuntime

/// `attnmesh events`.
struct Events: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show what happened, or follow what happens.",
    discussion: """
      Times are in UTC, by the coordinator's clock. With --store, events outlive the coordinator, but
      for those of the last moment before a crash.

      Kinds: \(Observation.Kind.allCases.map(\.name).joined(separator: ", ")).

      Examples:
        attnmesh events --since 2h --kind worker-lost,job-failed
        attnmesh events --since 2026-11-30T18:00 --follow
      """.prose)

  @OptionGroup(title: "Mesh") var mesh: MeshOptions
  @Option(help: "Only of this job.") var job: String?
  @Option(
    help: """
      Only since then: a time in UTC such as 2026-11-30 or 2026-11-30T18:00, or how long ago: 90s, 30m, \
      2h, 7d.
      """)
  var since: String?
  @Option(help: "Only of this kind, such as worker-lost, of those above; several with commas.")
  var kind: String?
  @Flag(help: "Go on as things happen.") var follow = false
  @Flag(help: "Print JSON, one object a line.") var json = false

  func run() throws {
    let kinds = try kinds()
    let since = try since.map { text throws(MeshError) in try PointInTime(text, "--since") }
    let client = try mesh.client()
    let interruption = Interruption()
    let id = try job.map { text throws(MeshError) in try client.job(text) }
    var (position, term): (UInt64, UInt64) = (0, 0)
    var begin: Double?
    // By the coordinator's clock, when it was first asked.
    var end = 0.0
    var (newest, mayBeTooNew) = (nil as Double?, since != nil)
    while true {
      let patience: Duration = follow ? .seconds(5) : .milliseconds(300)
      let outcome = try client.call(
        .events(EventsRequest(after: position, job: id, term: term)), patience: patience,
        grace: .seconds(10), isCancelled: { interruption.isRequested })
      guard case .events(let reply) = try outcome.orThrow() else { return }
      if term != 0, reply.term != term { Attnmesh.complain("the coordinator was restarted") }
      // How long ago something was goes by the clock that stamped it.
      end = end == 0 ? reply.wallSeconds : end
      let first = begin ?? since?.seconds(at: reply.wallSeconds) ?? 0
      begin = first
      if reply.missed > 0, (reply.events.first?.wallSeconds ?? .infinity) > first {
        Attnmesh.complain("no longer kept: \(counted(Int(clamping: reply.missed), "older event"))")
      }
      for event in reply.events
      where event.wallSeconds >= first && kinds?.contains(event.observation.kind) != false {
        show(event)
      }
      newest = reply.events.last?.wallSeconds ?? newest
      (position, term) = (reply.next, reply.term)
      // What happens while it is read would never end it.
      let isPast = reply.events.allSatisfy { $0.wallSeconds <= end }
      if reply.events.isEmpty || !isPast {
        if mayBeTooNew, newest ?? 0 < first { tellNothing(since: first, newest, now: end) }
        mayBeTooNew = false
        if !follow { return }
      }
      try flushOutput()
    }
  }

  /// By mistake about a day, or about whose clock counts.
  private func tellNothing(since first: Double, _ newest: Double?, now: Double) {
    let last = newest.map { "the newest event is of \(utc($0))" } ?? "there is no event yet"
    Attnmesh.complain(
      "nothing is as new as \(utc(first)): \(last), and the coordinator's clock says \(utc(now))")
  }

  private func kinds() throws(MeshError) -> [Observation.Kind]? {
    guard let kind else { return nil }
    var kinds: [Observation.Kind] = []
    for name in kind.split(separator: ",") {
      kinds.append(
        try choice(String(name), "--kind", of: Observation.Kind.allCases, named: \.name))
    }
    return kinds
  }

  private func show(_ event: RecordedEvent) {
    if json { return printJSON(EventView(event), isPretty: false) }
    print("\(utcMilliseconds(event.wallSeconds))  \(event.observation.line)")
  }
}
