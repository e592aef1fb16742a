internal import ArgumentParser
internal import Foundation
internal import MeshBench
internal import MeshCore
internal import MeshRuntime

/// `attnmesh bench`.
struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure on this machine what attnmesh promises.",
    discussion: """
      Every benchmark checks its results first, then measures side by side in one run and prints
      medians with the lowest and the highest value. Goals stand beside what was measured; missing
      one is an error only with --strict. Other work on the machine shows: run it on an idle one.

      Examples:
        attnmesh bench kernel
        attnmesh bench ring --workers 4 --mask causal --json
        attnmesh bench bytes --query q.npy --key k.npy --value v.npy
        attnmesh bench masks --tokens 65536
      """.prose,
    subcommands: [
      BenchKernel.self, BenchRing.self, BenchScaling.self, BenchMemory.self, BenchBytes.self,
      BenchMasks.self, BenchRecovery.self, BenchProtection.self, BenchFailover.self, BenchWire.self,
      BenchJobs.self,
    ])
}

/// Flags of every benchmark.
struct BenchOptions: ParsableArguments {
  @Flag(help: "Print JSON.")
  var json = false

  @Flag(help: "No progress.")
  var quiet = false

  @Flag(help: "Fail with exit code 1 when a goal is missed.")
  var strict = false

  /// One line to standard error, so that a long run is seen to go on.
  func tell(_ text: String) {
    if !quiet { Attnmesh.complain(text, prefixed: false) }
  }

  /// Prints goals and wrong results below a table, and decides how the command ends.
  func conclude(_ findings: Findings) throws(MeshError) {
    if !json, !findings.goals.isEmpty {
      print("")
      printTable(
        ["GOAL", "BOUND", "MEASURED", ""],
        findings.goals.map { goal in
          [
            goal.name, (goal.direction == .atLeast ? "≥ " : "≤ ") + decimal(goal.bound, 3),
            decimal(goal.measured, 3), goal.isMet ? "met" : "missed",
          ]
        })
    }
    if let wrong = findings.wrongResults.first {
      throw MeshError(
        .jobFailed, "\(findings.wrongResults.count) wrong results, so nothing counts: \(wrong)")
    }
    let missed = findings.goals.count { !$0.isMet }
    if strict, missed > 0 {
      throw MeshError(.jobFailed, "\(missed) of \(counted(findings.goals.count, "goal")) missed")
    }
  }
}

/// Lists on the command line: 4,8 or given again.
func list<Value>(
  _ texts: [String], _ flag: String, or standard: [Value],
  parse: (String) throws(MeshError) -> Value
) throws(MeshError) -> [Value] {
  var values: [Value] = []
  for text in texts.flatMap({ $0.split(separator: ",") }) { values.append(try parse(String(text))) }
  if values.isEmpty, !texts.isEmpty {
    throw MeshError(.badInput, "\(flag): give at least one value")
  }
  return values.isEmpty ? standard : values
}

/// A whole number within bounds.
func number(_ text: String, _ flag: String, in range: ClosedRange<Int>) throws(MeshError) -> Int {
  guard let value = Int(text), range.contains(value) else {
    throw MeshError(
      .badInput, "\(flag) \(text): it must be \(range.lowerBound) to \(range.upperBound)")
  }
  return value
}

func decimal(_ value: Double, _ places: Int) -> String { String(format: "%.\(places)f", value) }

extension Spread {
  /// "0.982 (0.975–0.986)".
  func text(_ places: Int, per unit: Double = 1) -> String {
    decimal(median / unit, places)
      + (count > 1 ? " (\(decimal(lowest / unit, places))–\(decimal(highest / unit, places)))" : "")
  }
}

/// The tensors that a benchmark of a whole job takes: all three files, or none.
struct BenchTensorOptions: ParsableArguments {
  @Option(help: "Query tensor, [heads, tokens, head_dim]. (default: generated)")
  var query: String?

  @Option(help: "Key tensor.")
  var key: String?

  @Option(help: "Value tensor.")
  var value: String?

  /// - Parameter tokens: to which the files are cut or repeated.
  func tensors(tokens: Int) throws(MeshError) -> BenchTensors {
    switch (query, key, value) {
    case (let query?, let key?, let value?):
      return try BenchTensors(repeating: query, key, value, tokens: tokens)
    case (nil, nil, nil):
      return try BenchTensors(
        BenchTensors.Shape(queryHeads: 9, keyHeads: 3, tokens: tokens, headDimension: 64), seed: 1)
    default:
      throw MeshError(.badInput, "give --query, --key and --value, or none of them")
    }
  }
}
