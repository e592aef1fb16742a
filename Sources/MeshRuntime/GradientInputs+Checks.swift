internal import MeshCore
internal import TensorFiles

/// What is refused of the numbers of a backward pass.
extension GradientInputs {
  /// Finds the first NaN or infinity.
  ///
  /// - Throws: bad input, naming tensor, head and token.
  package func rejectNonfinite() throws(MeshError) {
    try job.rejectNonfinite()
    try outputGradient.rejectNonfinite("output gradient", axes: .rows)
    try forward?.output.rejectNonfinite("output", axes: .rows)
    // A row that sees no key has a log-sum-exp of -infinity.
    try forward?.logSumExp.rejectNonfinite(
      "log-sum-exp", axes: .statistics, acceptsNegativeInfinity: true)
    try logSumExpGradient?.rejectNonfinite("log-sum-exp gradient", axes: .statistics)
  }
}
