internal import ArgumentParser
internal import Foundation
internal import MeshCore
internal import MeshRuntime
internal import MeshView

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
        defer { endWithReader() }
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
    if !job.name.isEmpty { print("name     \(printable(job.name))") }
    print("client   \(job.client)")
    print("submit   \(utc(job.submittedAt)), \(age(job.ageSeconds)) ago")
    if let deadline = job.deadlineAt { print("deadline \(utc(deadline))") }
    let queue = status.queuePosition > 0 ? ", place \(status.queuePosition) in the queue" : ""
    print("state    \(job.state.name)\(queue)\(job.reason.isEmpty ? "" : ": \(job.reason)")")
    print("shape    \(printable(job.shapeText))")
    if let (name, grid, reason) = status.strategy {
      print("strategy \(name) \(grid.name): \(reason)")
    }
    print("tiles    \(job.folded) of \(job.total) folded in \(age(job.wallSeconds))")
    print("memory   up to \(bytes(status.workerBytes)) per worker")
    if !status.ranks.isEmpty { print("protect  \(status.protectionName)") }
    if job.result.state != .none { print("result   \(printable(job.result.line))") }
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
      status.recoveries.enumerated().map { index, recovery in
        [
          seconds(recovery.atSeconds), recovery.worker, recovery.cause,
          seconds(recovery.detectionSeconds), "\(recovery.vrank)",
          recovery.host.isEmpty ? "nobody yet" : recovery.host,
          status.source(ofRecovery: index), recovery.refolded.map { "\($0)" } ?? "",
          recovery.restoreSeconds.map(seconds) ?? "", recovery.caughtUpSeconds.map(seconds) ?? "",
        ]
      })
  }

  private func seconds(_ value: Double) -> String { String(format: "%.2f s", value) }
}

/// `attnmesh workers`.
struct Workers: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List the workers of a coordinator.",
    discussion:
      "One that was lost stays in the list for an hour, with when and why, or until it is back.")

  @OptionGroup(title: "Mesh") var mesh: MeshOptions
  @Flag(help: "Print JSON.") var json = false

  func run() throws {
    guard case .workers(let workers) = try mesh.client().call(.workers).orThrow() else { return }
    if json { return printJSON(workers.map { WorkerView($0) }) }
    if workers.isEmpty { return print("no workers") }
    printTable(
      [
        "WORKER", "STATE", "PROCESS", "CPU", "THREADS", "MEMORY", "PEAK", "HEARD", "JOB", "RANKS",
        "",
      ],
      workers.map { worker in
        [
          worker.name, worker.standing.name, "\(worker.processID)", worker.level,
          "\(worker.threads)",
          bytes(worker.memoryBytes), bytes(worker.residentBytes),
          "\(age(worker.silentSeconds)) ago",
          worker.job.map { String("\($0)".prefix(8)) } ?? "-",
          worker.vranks.map(\.description).joined(separator: ","),
          worker.loss.map { printable("lost at \(utc($0.at)): \($0.reason)") } ?? "",
        ]
      })
  }
}
