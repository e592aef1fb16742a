internal import ArgumentParser
internal import Foundation
internal import MeshChaos
internal import MeshCore
internal import MeshRuntime

/// `attnmesh chaos`.
struct ChaosCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "chaos",
    abstract: "Break a mesh on this machine in every way, and compare the bytes of its results.",
    discussion: """
      Each scenario starts a coordinator and workers of its own, runs a job of seconds, injects
      faults from outside (signals, connections through proxies, full disks, damaged files), and
      compares output and log-sum-exp with those of one process that nobody disturbs. Nothing is left
      behind, however it ends. Exit code 0 only when every scenario ended as it had to.

      Examples:
        attnmesh chaos
        attnmesh chaos --only C6 --only 'C1-*'
        attnmesh chaos --minutes 60 --seed 7
      """.prose)

  @Option(help: "A matrix id such as C6, or a pattern of names. (may be repeated)")
  var only: [String] = []

  @Option(help: "Random faults, one each few seconds, for so long, instead of the scenarios.")
  var minutes: Double?

  @Option(help: "Seed of tensors and of everything random. (default: drawn, and told)")
  var seed: UInt64?

  @Option(help: "Keep the logs of scenarios that end otherwise than they had to in this directory.")
  var logs: String?

  @Flag(help: "Print JSON.")
  var json = false

  @Flag(help: "List the scenarios instead of running them.")
  var list = false

  @Flag(help: "No progress.")
  var quiet = false

  @Flag(help: "Tell every fault as it is injected.")
  var verbose = false

  @Option(name: .customLong("guard"), help: .hidden)
  var guardedDirectory: String?

  func run() throws {
    if let guardedDirectory { return RunGuard.run(directory: guardedDirectory) }
    let scenarios = try chosen()
    if list { return show(scenarios) }
    if let minutes, !(minutes > 0 && minutes <= 10_080) {
      throw MeshError(.badInput, "--minutes \(minutes): it must be more than 0, at most 10080")
    }
    let seed = seed ?? UInt64.random(in: 0..<1_000_000)
    tell("seed \(seed)")
    let interruption = Interruption()
    var run = ChaosRun(
      seed: seed, isCancelled: { interruption.isRequested },
      tell: { if verbose { tell("    \($0)") } })
    run.logDirectory = logs
    let runnable = scenarios.filter(\.missing.isEmpty)
    for scenario in scenarios where !scenario.missing.isEmpty && minutes == nil {
      let missing = scenario.missing.map(\.rawValue).joined(separator: ", ")
      tell("\(scenario.title): skipped, for want of \(missing)")
    }
    let results =
      if let minutes {
        try run.soak(.seconds(minutes * 60), progress: tell)
      } else { try run.run(runnable, progress: tell) }
    if json { printJSON(results) } else { show(results) }
    try conclude(results)
  }

  private func chosen() throws(MeshError) -> [ChaosScenario] {
    guard !only.isEmpty else { return ChaosScenario.quick }
    for pattern in only where !ChaosScenario.quick.contains(where: { $0.matches(pattern) }) {
      throw MeshError(
        .badInput, "--only \(pattern): no scenario is like that; `attnmesh chaos --list` has them")
    }
    return ChaosScenario.quick.filter { scenario in only.contains(where: scenario.matches) }
  }

  private func tell(_ text: String) {
    if !quiet { Attnmesh.complain(text, prefixed: false) }
  }

  private func tell(_ result: ChaosResult) {
    let end = result.isMet ? "ok" : "NOT AS EXPECTED: " + result.problems.joined(separator: "; ")
    tell("\(result.scenario): \(end) (\(decimal(result.wallSeconds, 1)) s)")
  }

  private func show(_ scenarios: [ChaosScenario]) {
    if json { return printJSON(scenarios.map { ScenarioView($0) }) }
    printTable(
      ["SCENARIO", "FAULTS", "NEEDS"],
      scenarios.map { scenario in
        [
          scenario.title, "\(scenario.faultCount)",
          scenario.requirements.map(\.rawValue).sorted().joined(separator: ", "),
        ]
      })
    print(
      "\(counted(scenarios.count, "scenario")),"
        + " \(counted(scenarios.reduce(0) { $0 + $1.faultCount }, "fault"))")
  }

  private func show(_ results: [ChaosResult]) {
    printTable(
      [
        "SCENARIO", "FAULTS", "DETECTION s", "RECOVERY s", "REFOLDED", "TIER", "BYTES EQUAL", "",
      ],
      results.map { result in
        [
          result.scenario, "\(result.faults)",
          result.detectionSeconds.map { decimal($0, 3) } ?? "-",
          result.recoverySeconds.map { decimal($0, 3) } ?? "-", "\(result.tilesRefolded)",
          result.tierText, result.bytesEqual.map { $0 ? "yes" : "NO" } ?? "-",
          result.isMet ? "as expected" : result.problems.joined(separator: "; "),
        ]
      })
    let compared = results.count { $0.bytesEqual == true }
    print(
      "\(counted(results.count, "job")), \(counted(results.reduce(0) { $0 + $1.faults }, "fault"));"
        + " the bytes of \(counted(compared, "result")) equal those of an undisturbed run")
  }

  private func conclude(_ results: [ChaosResult]) throws(MeshError) {
    let missed = results.filter { !$0.isMet }
    guard missed.isEmpty else {
      throw MeshError(
        .jobFailed,
        "\(missed.count) of \(counted(results.count, "scenario")) did not end as they had to: "
          + missed.prefix(5).map(\.scenario).joined(separator: ", ")
          + (missed.count > 5 ? ", …" : ""))
    }
  }
}

/// A scenario in `--list --json`.
private struct ScenarioView: Encodable {
  var scenario: String
  var matrix: String
  var faults: Int
  var needs: [String]

  init(_ scenario: ChaosScenario) {
    self.scenario = scenario.title
    matrix = scenario.matrix
    faults = scenario.faultCount
    needs = scenario.requirements.map(\.rawValue).sorted()
  }
}
