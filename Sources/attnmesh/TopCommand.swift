internal import ArgumentParser
internal import Foundation
internal import MeshCore
internal import MeshRuntime
internal import MeshView
internal import ZeroMQ

/// `attnmesh top`.
struct Top: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Watch the ring work: ranks, rates, waits, losses and recoveries.",
    discussion: """
      On a terminal a picture that fills it, until q or Ctrl-C. Elsewhere, or with --once, one picture
      as plain text; with --json one object a line for each interval.

      OUT and IN are bytes a second on the worker's data sockets; COMPUTE and WAIT are the shares of
      the time in which its compute threads had work, and had none.
      """.prose)

  @OptionGroup(title: "Mesh") var mesh: MeshOptions
  @Option(help: "Seconds between two looks: 0.2 to 60.") var interval = 1.0
  @Flag(help: "Look once, and again after the interval for the rates; print that, and end.")
  var once = false
  @Flag(help: "Print JSON, one object a line.") var json = false

  func run() throws {
    guard (0.2...60).contains(interval) else {
      throw MeshError(.badInput, "--interval \(interval): it must be 0.2 to 60 seconds")
    }
    let interruption = Interruption()
    let watch = MeshWatcher(try mesh.client(), isCancelled: { interruption.isRequested })
    if json || once || isatty(STDOUT_FILENO) == 0 {
      try printLooks(watch, interruption)
    } else {
      try show(watch, interruption)
    }
  }

  private func printLooks(_ watch: MeshWatcher, _ interruption: Interruption) throws {
    var before = try watch.look()
    while !interruption.wait(upTo: interval) {
      let look = try watch.look()
      let picture = RingPicture(endpoint: mesh.endpoint, look, before: before)
      before = look
      if json {
        printJSON(TopView(picture), isPretty: false)
      } else {
        for line in picture.lines(width: 120, height: 200) { print(line) }
      }
      try flushOutput()
      if once || !json { return }
    }
  }

  /// nil when there is no answer: the coordinator may be restarted, and the last picture stays.
  private func answered(_ watch: MeshWatcher) throws(MeshError) -> RingPicture.Look? {
    do throws(MeshError) {
      return try watch.look(patience: .seconds(1))
    } catch {
      if error.kind == .unreachable { return nil }
      throw error
    }
  }

  private func show(_ watch: MeshWatcher, _ interruption: Interruption) throws {
    var before = try watch.look()
    var picture = RingPicture(endpoint: mesh.endpoint, before, before: nil)
    let screen = try Screen()
    defer { screen.restore() }
    var next = before.seconds
    while !interruption.isRequested {
      let now = MonotonicClock.now.seconds
      var silence: Double? = now - before.seconds > 2 + interval ? now - before.seconds : nil
      if now >= next {
        next = now + interval
        if let look = try answered(watch) {
          picture = RingPicture(endpoint: mesh.endpoint, look, before: before)
          before = look
          silence = nil
        } else {
          silence = MonotonicClock.now.seconds - before.seconds
        }
      }
      let (width, height) = screen.size
      screen.draw(picture.lines(width: width, height: height, silence: silence))
      // Five pictures a second at most, also when keys are held down.
      if screen.key(within: 0.2) == UInt8(ascii: "q") { return }
    }
  }
}

/// Asks a coordinator for all that a picture needs.
private final class MeshWatcher {
  private let client: MeshClient
  private let isCancelled: () -> Bool
  private var events: [RecordedEvent] = []
  private var position: UInt64 = 0
  private var term: UInt64 = 0
  private var job: JobID?
  /// Beyond what any terminal shows.
  private static let eventsKept = 100

  init(_ client: MeshClient, isCancelled: @escaping () -> Bool) {
    self.client = client
    self.isCancelled = isCancelled
  }

  func look(patience: Duration? = nil) throws(MeshError) -> RingPicture.Look {
    guard case .mesh(let mesh) = try call(.mesh, patience),
      case .workers(let workers) = try call(.workers, patience)
    else { throw MeshError(.unreachable, "the coordinator gave an answer to something else") }
    // The last job stays in the picture until there is another.
    job = mesh.running?.summary.job ?? job
    try readEvents(patience)
    return RingPicture.Look(
      seconds: MonotonicClock.now.seconds, mesh: mesh, workers: workers.present,
      job: try status(patience), events: events)
  }

  private func call(_ request: CallRequest, _ patience: Duration?) throws(MeshError) -> CallReply {
    try client.call(request, patience: patience, isCancelled: isCancelled).orThrow()
  }

  /// nil for one that a restarted coordinator has forgotten.
  private func status(_ patience: Duration?) throws(MeshError) -> JobStatus? {
    guard let job else { return nil }
    let outcome = try client.call(.status(job), patience: patience, isCancelled: isCancelled)
    if case .success(.status(let status)) = outcome { return status }
    self.job = nil
    return nil
  }

  private func readEvents(_ patience: Duration?) throws(MeshError) {
    while true {
      // What is there already, without a wait for more.
      let outcome = try client.call(
        .events(EventsRequest(after: position, job: nil, term: term)), patience: .milliseconds(200),
        grace: patience ?? client.timeout, isCancelled: isCancelled)
      guard case .events(let reply) = try outcome.orThrow() else { return }
      // Times are by the clock of a coordinator.
      if term != 0, reply.term != term { (events, position) = ([], 0) }
      let isOther = term != 0 && reply.term != term
      (position, term) = (isOther ? 0 : reply.next, reply.term)
      if isOther { continue }
      events = (events + reply.events).suffix(Self.eventsKept)
      if reply.events.count < Limits.eventsPerReplyMaximum { return }
    }
  }
}

/// What `top --json` prints.
private struct TopView: Encodable {
  struct Worker: Encodable {
    var name: String
    var standing: String
    var vranks: [Int]
    var tilesFolded: Int
    var tilesNeeded: Int
    var tilesPerSecond: Double
    var sentBytesPerSecond: Double
    var receivedBytesPerSecond: Double
    var computeShare: Double
    var waitShare: Double
    var residentBytes: Int
  }

  var uptimeSeconds: Double
  var term: UInt64
  var job: SummaryView?
  var protection: String?
  var tilesPerSecond: Double
  var ring: [Worker]
  var recoveries: [RecoveryView]

  init(_ picture: RingPicture) {
    let look = picture.look
    uptimeSeconds = look.mesh.uptimeSeconds
    term = look.mesh.term
    job = look.job.map { SummaryView($0.summary) }
    protection = look.job?.protectionName
    tilesPerSecond = picture.tilesPerSecond
    ring = picture.rows.map {
      Worker(
        name: $0.name, standing: $0.standing, vranks: $0.vranks, tilesFolded: $0.folded,
        tilesNeeded: $0.needed, tilesPerSecond: $0.tilesPerSecond,
        sentBytesPerSecond: $0.sentBytesPerSecond,
        receivedBytesPerSecond: $0.receivedBytesPerSecond, computeShare: $0.computeShare,
        waitShare: $0.waitShare, residentBytes: $0.residentBytes)
    }
    recoveries = (look.job?.recoveries ?? []).map { RecoveryView($0) }
  }
}
