internal import ArgumentParser
internal import ElementTypes
internal import MeshCore
internal import MeshRuntime

/// Where the result goes.
struct OutputOptions: ParsableArguments {
  @Option(help: "Output tensor, with the query's shape: .npy or .safetensors.")
  var output: String

  @Option(help: "Natural-log log-sum-exp, float32, with the query's shape less its last dimension.")
  var lse: String?

  @Option(help: "float32, float16 or bfloat16 (bfloat16 needs a .safetensors path).")
  var outputDtype = "float32"

  func element() throws(MeshError) -> ElementType {
    try choice(outputDtype, "--output-dtype", of: ElementType.allCases, named: \.name)
  }

  /// Finds out before long work whether the result could be written, and a report if one is wanted.
  ///
  /// - Parameter inputs: files that must not be overwritten.
  func check(report: String?, inputs: [InputPath]) throws(MeshError) {
    try check(report: report, inputs: inputs) { reason throws(MeshError) in
      throw MeshError(.badInput, reason)
    }
  }

  /// The same, telling every reason why not.
  func check(
    report: String?, inputs: [InputPath], refuse: (String) throws(MeshError) -> Void
  ) throws(MeshError) {
    let checked: ElementType
    do throws(MeshError) {
      checked = try element()
    } catch {
      try refuse(error.message)
      // Every file holds it: what else is wrong with the paths is found.
      checked = .float32
    }
    try ResultFiles.check(
      output: output, element: checked, logSumExp: lse, report: report, inputs: inputs,
      refuse: refuse)
  }
}
