internal import ArgumentParser
internal import Foundation
internal import MeshRuntime

/// `attnmesh check`.
struct Check: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compare a result with a naive computation in double precision.",
    discussion: """
      A result passes where, per head, its error is at most twice that of a naive float32 computation
      of the same rows, plus rounding: (2⁻²³ (1 + max |logit|) + 2⁻²⁴ max m) max |v|, and for
      log-sum-exp 2⁻²² (1 + |LSE|) + 2⁻²⁴ m, where m is |scale| Σ |q k| on average over the keys of a
      row, by their weights. NaN and infinities have to be where the reference has them; under a weight
      below 2⁻⁹⁰ of the row's largest an infinite value may have become NaN. Exit code 1 when it fails.

      Example:
        attnmesh check --query q.npy --key k.npy --value v.npy --mask causal \\
          --output o.npy
      """.prose)

  @OptionGroup(title: "Job") var job: JobOptions
  @Option(help: "The output to check, float32.") var output: String
  @Option(help: "The log-sum-exp to check.") var lse: String?
  @Option(help: "Rows of each head that are compared, evenly spread.") var rows = 64
  @Flag(help: "Print JSON: also of a result that fails.") var json = false

  func run() throws {
    guard (1...1_000_000).contains(rows) else {
      throw MeshError(.badInput, "--rows \(rows): it must be 1 to 1000000")
    }
    let inputs = try job.inputs()
    let check = try ResultCheck(inputs: inputs, output: output, logSumExp: lse, rows: rows)
    try job.checkFinite(inputs)
    let finding = try check.run()
    if json { printJSON(CheckView(finding, hasLogSumExp: lse != nil)) } else { tell(finding) }
    guard finding.violations.isEmpty else {
      throw MeshError(.jobFailed, "\(output) is not the attention of these tensors")
    }
  }

  private func tell(_ finding: ResultCheck.Finding) {
    print(
      String(
        format: "%@: %d rows of each of %d heads; largest error %.2e (naive float32: %.2e)",
        finding.violations.isEmpty ? "equal to the reference" : "NOT equal to the reference",
        finding.rowsPerHead, finding.heads, finding.error, finding.naiveError)
        + (lse == nil ? "" : String(format: ", log-sum-exp %.2e", finding.logSumExpError)))
    for violation in finding.violations { Attnmesh.complain(violation) }
  }
}

/// What `check --json` prints.
private struct CheckView: Encodable {
  var equal: Bool
  var rowsPerHead: Int
  var heads: Int
  var error: Double
  var naiveError: Double
  var logSumExpError: Double?
  var violations: [String]

  init(_ finding: ResultCheck.Finding, hasLogSumExp: Bool) {
    equal = finding.violations.isEmpty
    rowsPerHead = finding.rowsPerHead
    heads = finding.heads
    error = finding.error
    naiveError = finding.naiveError
    logSumExpError = hasLogSumExp ? finding.logSumExpError : nil
    violations = finding.violations
  }
}
