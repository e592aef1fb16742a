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

  /// A log-sum-exp that counts its head's sink logit is no less. One that doesn't gives wrong gradients,
  /// and NaN where it is -infinity.
  ///
  /// Rounding may bring it below all the same: in float32 by 2^-24 of it, in a program that computes with
  /// half precision by 2^-11. Twice that, of the logit and of 1, is left to it. One that is only less by
  /// that much, or not at all, without counting the logit can't be told from a right one.
  ///
  /// - Throws: bad input, with head, token and both numbers.
  func checkSinkLogits(
    _ sums: [Float], _ heads: Range<Int>, _ tokens: Range<Int>, of file: TensorFile
  ) throws(MeshError) {
    let logits = job.spec.logits.sinkLogits
    guard !logits.isEmpty else { return }
    for (index, head) in heads.enumerated() {
      let logit = logits[head % job.spec.queryHeads]
      let least = logit - (1 + abs(logit)) / 1_024
      let row = sums[index * tokens.count..<(index + 1) * tokens.count]
      guard let place = row.firstIndex(where: { $0 < least }) else { continue }
      let token = tokens.lowerBound + place - row.startIndex
      throw MeshError(
        .badInput,
        "\(file.location): the log-sum-exp is \(row[place]) at"
          + " \(file.place(of: head * job.spec.queryTokens + token, axes: .statistics)), below the"
          + " head's sink logit, \(logit), which it has to count")
    }
  }
}
