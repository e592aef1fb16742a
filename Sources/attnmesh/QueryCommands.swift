internal import ArgumentParser
internal import Foundation
internal import MeshCore
internal import MeshRuntime
internal import MeshView

/// `attnmesh jobs`.
struct Jobs: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "List the jobs of a coordinator.")

  @OptionGroup(title: "Mesh") var mesh: MeshOptions
  @Flag(help: "Print JSON.") var json = false

  func run() throws {
    guard case .jobs(let jobs) = try mesh.client().call(.list).orThrow() else { return }
    if json { return printJSON(jobs.map { SummaryView($0) }) }
    if jobs.isEmpty { return print("no jobs") }
    printTable(
      ["JOB", "STATE", "TILES", "AGE", "CLIENT", "SHAPE", "REASON"],
      jobs.map { job in
        [
          "\(job.job)", job.state.name, "\(job.folded)/\(job.total)", age(job.ageSeconds),
          job.client, job.spec.shapeText, job.reason,
        ]
      })
  }
}

/// `attnmesh job`.
struct Job: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Show a job, or follow it to its end.")

  @OptionGroup var argument: JobArgument
  @OptionGroup(title: "Mesh") var mesh: MeshOptions
  @OptionGroup var patience: PatienceOptions
  @Flag(help: "Follow it to its end.") var follow = false
  @Flag(help: "Print JSON; with --follow one object a line.") var json = false

  func run() throws {
    let client = try mesh.client(patience)
    let interruption = Interruption()
    let remote = RemoteJob(
      try argument.id(client), client: client, isCancelled: { interruption.isRequested })
    guard follow else { return show(try remote.status()) }
    let bar = ProgressBar(isShown: !json)
    client.notify = bar.tell
    var last: JobState?
    do {
      let status = try remote.wait { status in
        // A reader at the other end of a pipe wants to follow too.
        defer { fflush(nil) }
        if json { return printJSON(JobView(status), isPretty: false) }
        bar.show(status)
        if status.summary.state != last, isatty(STDERR_FILENO) == 0 {
          print(status.summary.state.name)
        }
        last = status.summary.state
      }
      bar.clear()
      if !json { show(status) }
    } catch {
      bar.clear()
      throw error
    }
  }

  private func show(_ status: JobStatus) {
    if json { return printJSON(JobView(status)) }
    let job = status.summary
    print("job      \(job.job)")
    print("client   \(job.client)")
    let queue = status.queuePosition > 0 ? ", place \(status.queuePosition) in the queue" : ""
    print("state    \(job.state.name)\(queue)\(job.reason.isEmpty ? "" : ": \(job.reason)")")
    print("shape    \(job.spec.shapeText)")
    print("tiles    \(job.folded) of \(job.total) folded in \(age(job.wallSeconds))")
    print("memory   up to \(bytes(status.workerBytes)) per worker")
    if !status.ranks.isEmpty { print("protect  \(status.protection.name)") }
    if let digest = status.outputDigest { print("sha256   \(digest)") }
    if !status.ranks.isEmpty {
      printTable(
        ["RANK", "WORKER", "EPOCH", "TILES", "COPIED", "ON DISK", ""],
        status.ranks.map { rank in
          [
            "\(rank.vrank)", rank.worker, "\(rank.epoch)", "\(rank.next)/\(rank.needed)",
            rank.isFinal ? "" : "\(rank.copied)", rank.isFinal ? "" : "\(rank.durable)",
            rank.isFinal ? "final" : "",
          ]
        })
    }
    tellStory(status)
  }

  /// What befell the job: who was lost, how it was found, and what it cost.
  private func tellStory(_ status: JobStatus) {
    guard !status.recoveries.isEmpty else { return }
    print("")
    printTable(
      ["AT", "LOST", "HOW", "FOUND IN", "RANK", "NEW HOST", "FROM", "REFOLDED", "BACK IN", "COST"],
      status.recoveries.map { recovery in
        [
          seconds(recovery.atSeconds), recovery.worker, recovery.cause,
          seconds(recovery.detectionSeconds), "\(recovery.vrank)",
          recovery.host.isEmpty ? "nobody yet" : recovery.host,
          recovery.restored?.tier.name ?? "looking", recovery.refolded.map { "\($0)" } ?? "",
          recovery.restoreSeconds.map(seconds) ?? "", recovery.caughtUpSeconds.map(seconds) ?? "",
        ]
      })
  }

  private func seconds(_ value: Double) -> String { String(format: "%.2f s", value) }
}

/// `attnmesh workers`.
struct Workers: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "List the workers of a coordinator.")

  @OptionGroup(title: "Mesh") var mesh: MeshOptions
  @Flag(help: "Print JSON.") var json = false

  func run() throws {
    guard case .workers(let workers) = try mesh.client().call(.workers).orThrow() else { return }
    if json { return printJSON(workers.map { WorkerView($0) }) }
    if workers.isEmpty { return print("no workers") }
    printTable(
      ["WORKER", "STATE", "PROCESS", "CPU", "THREADS", "MEMORY", "PEAK", "HEARD", "JOB", "RANKS"],
      workers.map { worker in
        [
          worker.name, worker.standing.name, "\(worker.processID)", worker.level,
          "\(worker.threads)",
          bytes(worker.memoryBytes), bytes(worker.residentBytes),
          String(format: "%.1f s ago", worker.silentSeconds),
          worker.job.map { String("\($0)".prefix(8)) } ?? "-",
          worker.vranks.map(\.description).joined(separator: ","),
        ]
      })
  }
}

/// `attnmesh events`.
struct Events: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show what happened, or follow what happens.")

  @OptionGroup(title: "Mesh") var mesh: MeshOptions
  @Option(help: "Only of this job.") var job: String?
  @Flag(help: "Go on as things happen.") var follow = false
  @Flag(help: "Print JSON, one object a line.") var json = false

  func run() throws {
    let client = try mesh.client()
    let interruption = Interruption()
    let id = try job.map { text throws(MeshError) in
      try JobArgument.find(text, client)
    }
    var position: UInt64 = 0
    while true {
      let patience: Duration = follow ? .seconds(5) : .milliseconds(300)
      let outcome = try client.call(
        .events(EventsRequest(after: position, job: id)), patience: patience, grace: .seconds(10),
        isCancelled: { interruption.isRequested })
      guard case .events(let reply) = try outcome.orThrow() else { return }
      if reply.missed > 0 { Attnmesh.complain("\(reply.missed) older events are no longer kept") }
      for event in reply.events {
        if json {
          printJSON(EventView(event), isPretty: false)
        } else {
          print(String(format: "%10.3f  %@", event.seconds, event.observation.line))
        }
      }
      // Positions begin anew with a coordinator.
      if reply.next < position { Attnmesh.complain("the coordinator was restarted") }
      position = reply.next < position ? 0 : reply.next
      if !follow, reply.events.isEmpty { return }
      fflush(nil)
    }
  }
}
