/// What becomes of the scaled logits of a job, before and in the softmax. Everything is by query head of
/// one sequence, and the same for all sequences of a batch.
package struct LogitRule: Hashable, Sendable, Codable {
  /// Logits x become softcap · tanh(x / softcap), as in Gemma 2; nil to leave them as they are.
  package var softcap: Float?
  /// ALiBi's slopes (Press et al. 2022): slope · |query's position − key's position| is subtracted after
  /// the cap. Empty for none.
  package var alibiSlopes: [Float]
  /// Learnt logits that take weight and have no value, as in gpt-oss: they enter once, when all keys are
  /// folded. Empty for none.
  package var sinkLogits: [Float]

  package init(softcap: Float? = nil, alibiSlopes: [Float] = [], sinkLogits: [Float] = []) {
    self.softcap = softcap
    self.alibiSlopes = alibiSlopes
    self.sinkLogits = sinkLogits
  }

  /// Logits as they are.
  package static let plain = LogitRule()

  package var isPlain: Bool { self == .plain }

  /// Whether it says something of each head.
  var isByHead: Bool { !alibiSlopes.isEmpty || !sinkLogits.isEmpty }

  /// Slopes or sink logits of a job: they are told with every assignment.
  package static let headsMaximum = 4_096
  /// Softcaps and slopes beyond these would overflow, or vanish, in products of float32.
  package static let softcaps: ClosedRange<Float> = 1e-30...1e30
  package static let slopes: ClosedRange<Float> = -1e30...1e30

  /// Why `queryHeads` heads can't have it, in one line; nil when they can.
  package func problem(queryHeads: Int) -> String? {
    if let softcap, !Self.softcaps.contains(softcap) {
      return "softcap is \(softcap); it must be a number above 0 (1e-30 to 1e30)"
    }
    for (name, values) in [("ALiBi slopes", alibiSlopes), ("sink logits", sinkLogits)]
    where !values.isEmpty {
      guard values.count == queryHeads else {
        return "\(values.count) \(name) for \(queryHeads) query heads"
      }
      guard values.count <= Self.headsMaximum else {
        return "\(values.count) \(name); at most \(Self.headsMaximum)"
      }
    }
    if let slope = alibiSlopes.first(where: { !Self.slopes.contains($0) }) {
      return "an ALiBi slope is \(slope); it must be -1e30 to 1e30"
    }
    if let logit = sinkLogits.first(where: { !$0.isFinite }) {
      return "a sink logit is \(logit); it must be a finite number"
    }
    return nil
  }

  /// The rule of some of the heads alone, in that order.
  func ofHeads(_ heads: [Int]) -> LogitRule {
    func values(_ all: [Float]) -> [Float] { all.isEmpty ? [] : heads.map { all[$0] } }
    return LogitRule(
      softcap: softcap, alibiSlopes: values(alibiSlopes), sinkLogits: values(sinkLogits))
  }

  /// What people read; nil for logits as they are.
  package var name: String? {
    let words = [
      softcap.map { "softcap \($0)" }, alibiSlopes.isEmpty ? nil : "ALiBi",
      sinkLogits.isEmpty ? nil : "sink logits",
    ].compactMap(\.self)
    return words.isEmpty ? nil : words.joined(separator: ", ")
  }
}
