internal import ArgumentParser
internal import Foundation
internal import MeshCore
internal import MeshRuntime
internal import MeshSimulation
internal import ZeroMQ

/// `attnmesh simulate`.
struct SimulateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "simulate",
    abstract: "Whole meshes in virtual time, with faults, from seeds.",
    discussion: """
      Each seed runs the real coordinator and workers on a tiny job in one thread, over a network,
      disks and processes that fail as the seed says, and checks after every event what must always
      hold. The same seed is the same run, on every machine.

      Examples:
        attnmesh simulate --seeds 10000
        attnmesh simulate --seed 42 --trace
        attnmesh simulate --crash-points

      Exit code 1 when something that must hold did not.
      """.prose)

  @Option(help: "How many seeds, from --seed on.")
  var seeds = 1_000

  @Option(help: "The first seed; alone, the only one.")
  var seed: UInt64?

  @Flag(help: "Print every event of one seed.")
  var trace = false

  @Option(help: "Threads. (default: one for each core)")
  var threads: Int?

  @Flag(help: "Crash a small job's processes in front of each effect, and sampled pairs of them.")
  var crashPoints = false

  @Option(help: .hidden)
  var defect: String?

  @Flag(help: "Print JSON.")
  var json = false

  @Flag(help: "No progress.")
  var quiet = false

  func run() throws {
    let defect = try self.defect.map { name throws(MeshError) in
      try choice(name, "--defect", of: Defect.allCases, named: \.rawValue)
    }
    if trace {
      guard let seed else { throw MeshError(.badInput, "--trace needs a --seed") }
      return try show(seed, defect: defect)
    }
    if crashPoints {
      let enumeration = CrashEnumeration(seed: seed ?? 0, defect: defect)
      try report(try run(enumeration.singles()), replay: nil)
      return try report(try run(enumeration.doubles(count: 5_000)), replay: nil)
    }
    let first = seed ?? 1
    let count =
      seed != nil && seeds == 1_000 ? 1 : try number("\(seeds)", "--seeds", in: 1...100_000_000)
    let campaign = SimulationCampaign(.seeds(first..<first + UInt64(count)), defect: defect)
    try report(try run(campaign), replay: "attnmesh simulate --trace --seed ")
  }

  private func show(_ seed: UInt64, defect: Defect?) throws(MeshError) {
    let outcome = SimulationCampaign.run(seed: seed, defect: defect, shapes: JobShapes()) {
      print($0)
    }
    if let violation = outcome.violation {
      throw MeshError(.jobFailed, "seed \(seed) at \(violation.at) s: \(violation)")
    }
  }

  private func run(_ campaign: SimulationCampaign) throws(MeshError) -> SimulationCampaign.Result {
    let count = try threads.map { count throws(MeshError) in
      try number("\(count)", "--threads", in: 1...1_024)
    }
    let bar = ProgressBar(isShown: !quiet)
    var pool: [DedicatedThread] = []
    do throws(ZeroMQError) {
      for _ in 0..<(count ?? ProcessLimits.processors) {
        pool.append(try DedicatedThread(name: "simulate") { campaign.work() })
      }
    } catch {
      throw MeshError(.badInput, "\(error)")
    }
    let interruption = Interruption()
    while campaign.done < campaign.total, !interruption.isRequested {
      bar.show(
        [], heading: "\(campaign.done) of \(counted(campaign.total, "run"))",
        of: (campaign.done, campaign.total))
      Thread.sleep(forTimeInterval: 0.05)
      if campaign.isStopped { break }
    }
    campaign.stop()
    for thread in pool { thread.join() }
    bar.clear()
    return campaign.result
  }
}

extension SimulateCommand {
  /// What a campaign came to, as JSON.
  private struct Summary: Encodable {
    var runs: Int
    var events: Int
    var medianEvents: Int
    var faultShare: Double
    var restoreShare: Double
    var poisonedShare: Double
    var violations: [Finding]
    var coverage: [String: Int]

    struct Finding: Encodable {
      var seed: UInt64
      var number: Int
      var invariant: String
      var detail: String
    }
  }

  private func report(_ result: SimulationCampaign.Result, replay: String?) throws(MeshError) {
    let summary = Summary(
      runs: result.runs.count, events: result.delivered, medianEvents: result.medianDelivered,
      faultShare: result.share(\.hasFault), restoreShare: result.share(\.hasRestore),
      poisonedShare: result.share(\.isPoisoned),
      violations: result.violations.compactMap { run in
        run.violation.map {
          Summary.Finding(
            seed: run.seed, number: run.number, invariant: $0.invariant.name, detail: $0.detail)
        }
      },
      coverage: Dictionary(
        uniqueKeysWithValues: Coverage.Item.all.map { ($0.name, result.coverage[$0]) }))
    if json {
      printJSON(summary)
    } else {
      printTable(
        ["WHERE RUNS WENT", "TIMES"],
        Coverage.Item.all.map { [$0.name, "\(result.coverage[$0])"] })
      print(
        "\(counted(summary.runs, "run")), \(counted(summary.events, "event")), \(summary.medianEvents) in the median;"
          + " \(percent(summary.faultShare)) with a fault, \(percent(summary.restoreShare)) with a"
          + " restored rank, \(percent(summary.poisonedShare)) failed for too many lost workers")
    }
    guard let first = summary.violations.first else { return }
    for finding in summary.violations.prefix(20) {
      Attnmesh.complain(
        "seed \(finding.seed) run \(finding.number): \(finding.invariant): \(finding.detail)")
    }
    throw MeshError(
      .jobFailed,
      "\(summary.violations.count) of \(counted(summary.runs, "run")) broke an invariant"
        + (replay.map { "; replay with: \($0)\(first.seed)" } ?? ""))
  }

  private func percent(_ share: Double) -> String { decimal(100 * share, 1) + " %" }
}
