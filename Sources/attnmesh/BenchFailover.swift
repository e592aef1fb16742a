internal import ArgumentParser
internal import MeshBench
internal import MeshCore
internal import MeshRuntime

/// `attnmesh bench failover`.
struct BenchFailover: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "failover",
    abstract: "How soon a lost worker is missed, and whether one is missed that isn't lost.",
    discussion: """
      Workers are killed, stopped with SIGSTOP, and made to hang, each in the middle of a job whose
      folds sleep; the time is taken from the signal to the coordinator's event. The probe is a
      thread that sleeps a millisecond at a time: how late it wakes is what the machine adds.

      With --oversubscribe it computes real jobs beside threads that spin, four for each core, and
      stops workers for 0.3 s now and then: none of them may be taken for lost.
      """.prose)

  @Option(help: "Workers, with one thread each.")
  var workers = 4

  @Option(help: "Workers to kill.")
  var kills = 100

  @Option(help: "Workers to stop.")
  var pauses = 30

  @Option(help: "Workers to let hang.")
  var hangs = 30

  @Option(help: "Milliseconds that a fold of a tile takes.")
  var fold = 50.0

  @Option(help: "Of the draw of workers and moments.")
  var seed: UInt64 = 1

  @Flag(help: "A machine with too much to do, and no losses.")
  var oversubscribe = false

  @Option(help: "With --oversubscribe: for how long.")
  var seconds = 60.0

  @Option(help: "With --oversubscribe: spinning threads for each core.")
  var spinners = 4

  @Option(help: "With --oversubscribe: tokens of a job.")
  var tokens = 8_192

  @Flag(help: "A few of each: whether it works, not how well.")
  var quick = false

  @OptionGroup var options: BenchOptions

  func run() throws {
    let findings = oversubscribe ? try runOversubscribed() : try runFailover()
    try options.conclude(findings)
  }

  private func runFailover() throws(MeshError) -> Findings {
    var bench = FailoverBench()
    bench.workers = try number("\(workers)", "--workers", in: 2...32)
    bench.kills = quick ? 5 : try number("\(kills)", "--kills", in: 0...100_000)
    bench.pauses = quick ? 3 : try number("\(pauses)", "--pauses", in: 0...100_000)
    bench.hangs = quick ? 3 : try number("\(hangs)", "--hangs", in: 0...100_000)
    bench.seed = seed
    guard (5...1_000).contains(fold) else {
      throw MeshError(.badInput, "--fold \(fold): it must be 5 to 1000")
    }
    bench.foldSeconds = fold / 1_000
    let interruption = Interruption()
    let result = try bench.run(
      isCancelled: { interruption.isRequested }, progress: { options.tell($0) })
    if options.json {
      printJSON(result)
    } else {
      print(
        "\(result.workers) workers; modelled: \(decimal(result.foldSeconds * 1e3, 1)) ms a fold;"
          + " verified by digest with real folds; machine's cores"
          + " \(decimal(100 * result.machineCPUShare, 0)) % in use")
      printTable(
        ["", "COUNT", "P50 ms", "P95 ms", "P99 ms", "HIGHEST ms"],
        [
          ["killed: found after"] + cells(result.killSeconds),
          ["stopped: found after"] + cells(result.pauseSeconds),
          ["hung: found after"] + cells(result.hangSeconds),
          ["probe: wakes late by"] + cells(result.probeSeconds),
        ])
      print("")
      printTable(
        ["REASON", "COUNT"],
        result.reasons.sorted { $0.key < $1.key }.map { [$0.key, "\($0.value)"] })
      print("\n\(result.rejoined) of \(result.pauseSeconds.count) stopped workers took part again")
      tell(result.falseLosses)
    }
    return result.findings
  }

  private func runOversubscribed() throws(MeshError) -> Findings {
    var bench = OversubscriptionBench()
    bench.workers = try number("\(workers)", "--workers", in: 2...32)
    bench.spinnersPerCore = try number("\(spinners)", "--spinners", in: 0...64)
    bench.tokens = try number("\(tokens)", "--tokens", in: 256...65_536)
    bench.seed = seed
    guard (1...86_400).contains(seconds) else {
      throw MeshError(.badInput, "--seconds \(seconds): it must be 1 to 86400")
    }
    bench.seconds = quick ? min(seconds, 10) : seconds
    let interruption = Interruption()
    let result = try bench.run(
      isCancelled: { interruption.isRequested }, progress: { options.tell($0) })
    if options.json {
      printJSON(result)
    } else {
      print(
        "\(counted(result.workers, "worker")) × 1 thread beside"
          + " \(counted(result.spinners, "spinning thread")) for"
          + " \(decimal(result.seconds, 1)) s; digests equal to one process's")
      printTable(
        ["", "COUNT", "P50 ms", "P95 ms", "P99 ms", "HIGHEST ms"],
        [["probe: wakes late by"] + cells(result.probeSeconds)])
      print(
        "\n\(counted(result.jobs, "job")); workers stopped \(counted(result.pauses, "time")) for"
          + " \(decimal(bench.pauseSeconds, 1)) s; the coordinator doubted itself"
          + " \(counted(result.selfDoubts, "time"))")
      tell(result.falseLosses)
    }
    return result.findings
  }

  private func cells(_ times: Percentiles) -> [String] {
    ["\(times.count)"]
      + [times.p50, times.p95, times.p99, times.highest].map { decimal($0 * 1e3, 1) }
  }

  private func tell(_ falseLosses: [String]) {
    for loss in falseLosses { print("taken for lost that wasn't: \(loss)") }
  }
}
