internal import AttentionKernels
internal import ElementTypes
internal import FoldEngine
internal import Glibc
internal import MeshCore
internal import TensorFiles

/// A log-sum-exp that is given, against Q and K. One in base 2, of a part of the keys, or of another mask or
/// scale gives wrong gradients without a word.
extension GradientInputs {
  private static let rowsCompared = 3

  /// Compares a few rows, evenly spread over heads and tokens.
  ///
  /// - Throws: bad input, with head, token and both numbers.
  package func checkLogSumExp() throws(MeshError) {
    guard let file = forward?.logSumExp else { return }
    let spec = job.spec
    for place in 0..<Self.rowsCompared {
      func spread(_ count: Int) -> Int { place * (count - 1) / (Self.rowsCompared - 1) }
      let (head, row) = (spread(spec.flatQueryHeads), spread(spec.queryTokens))
      guard let given = try logSumExp(head..<head + 1, row..<row + 1)?.first else { return }
      let exact = try exactLogSumExp(head: head, row: row)
      // What isn't a number goes on into the gradients, and no weight is taken of a row without keys.
      guard exact.value.isFinite, !given.isNaN else { continue }
      // A sixteenth is 6 % of each weight, and rounding Q and K to bfloat16 moves logits by half the rest.
      guard abs(Double(given) - exact.value) > 0x1p-4 + 0x1p-7 * exact.magnitude else { continue }
      throw MeshError(
        .badInput,
        "\(file.location): the log-sum-exp is \(given) at"
          + " \(file.place(of: head * spec.queryTokens + row, axes: .statistics)), where that of"
          + " these tensors is \(Float(exact.value)): it has to be natural, over all keys that the"
          + " mask lets through, and of logits with the same scale")
    }
  }

  /// In double precision, a K/V tile after the other; and the mean magnitude of logits in any of them.
  private func exactLogSumExp(
    head: Int, row: Int
  ) throws(MeshError) -> (value: Double, magnitude: Double) {
    let spec = job.spec
    let mask = spec.attentionMask(blocks: job.blocks)
    let query = try doubles(.query, head, row..<row + 1)
    var sum = spec.sinkLogit(ofHead: head).map(Double.init) ?? -.infinity
    var magnitude = 0.0
    for tile in mask.neededTiles(rows: row..<row + 1, of: Plan.keyTileKeys) {
      let start = tile * Plan.keyTileKeys
      let tokens = start..<min(start + Plan.keyTileKeys, spec.keyTokens)
      let keys = try doubles(.key, head / spec.queriesPerKeyHead, tokens)
      // Values don't matter here.
      let part = ReferenceAttention(
        keys: keys, values: keys, headDimension: spec.headDimension, scale: Double(spec.scale),
        shape: spec.logitShape(ofHead: head)
      ).row(
        query: query,
        sight: mask.foldedSight(query: row, keys: tokens, head: head % spec.queryHeads))
      sum = Self.logarithmOfSum(sum, part.logSumExp)
      magnitude = max(magnitude, part.magnitude)
    }
    return (sum, magnitude)
  }

  /// ln(exp a + exp b).
  private static func logarithmOfSum(_ a: Double, _ b: Double) -> Double {
    if a == -.infinity { return b }
    if b == -.infinity { return a }
    let top = max(a, b)
    return top + log(exp(a - top) + exp(b - top))
  }

  private func doubles(
    _ tensor: GradientRun.Source, _ head: Int, _ tokens: Range<Int>
  ) throws(MeshError) -> [Double] {
    let payload = try rows(tensor, head..<head + 1, tokens)
    let count = tokens.count * job.spec.headDimension
    return [Float](unsafeUninitializedCapacity: count) { floats, initialized in
      job.spec.element.decode(
        payload.bytes, into: UnsafeMutableBufferPointer(rebasing: floats[..<count]))
      initialized = count
    }.map(Double.init)
  }
}
