internal import MeshCore
internal import MeshRuntime

/// Bytes between workers: counters, which a busy machine changes by the few requests that it repeats.
extension MasksBench {
  /// One head of keys of 64 float16 elements: tiles of 64 KiB, in which what travels beside them weighs
  /// more than in larger ones.
  static func meshShape(tokens: Int) -> BenchTensors.Shape {
    BenchTensors.Shape(queryHeads: 2, keyHeads: 1, tokens: tokens, headDimension: 64)
  }

  /// Lengths like those of texts, drawn once: log-normal around 600 tokens (sigma 1.1), none above a
  /// quarter of the 16,384 that they add up to. The longest lies across the middle.
  private static let documentLengths = [
    666, 2_373, 215, 1_787, 451, 450, 4_096, 714, 572, 1_339, 2_072, 580, 1_069,
  ]

  /// The same again and again until they add up to `tokens`, none above a quarter of them.
  static func documents(tokens: Int) -> MaskRule {
    var (lengths, left): ([Int], Int) = ([], tokens)
    while left > 0 {
      let next = documentLengths[lengths.count % documentLengths.count]
      lengths.append(min(next, tokens / 4, left))
      left -= lengths[lengths.count - 1]
    }
    return MaskRule(
      isCausal: true, documents: MaskRule.Documents(queries: lengths, keys: lengths))
  }

  func measureMeshes(
    _ tensors: BenchTensors, _ findings: inout Findings,
    isCancelled: @escaping @Sendable () -> Bool, progress: (String) -> Void
  ) throws(MeshError) -> [MeshCase] {
    let documents = Self.documents(tokens: meshTokens)
    var cases: [MeshCase] = []
    var causalBytes: [Layout: Int] = [:]
    for mask in [.causal, Self.window, documents] {
      let expected = try tensors.digest(of: tensors.inputs(mask: mask), isCancelled: isCancelled)
      for layout in Layout.allCases {
        let inputs = try tensors.inputs(mask: mask, layout: layout)
        let outcome = try MeshTrial(workers: workers, isCancelled: isCancelled).run(inputs)
        let name = "\(mask.name), \(layout.name)"
        findings.expect(
          outcome.report.outputDigest == expected, "\(name): other bits than one process")
        let traffic = BytesBench.Case(outcome)
        if mask == .causal { causalBytes[layout] = traffic.sentBytes }
        let share = Double(traffic.sentBytes) / Double(max(1, causalBytes[layout] ?? 0))
        cases.append(MeshCase(mask: mask.name, traffic: traffic, sentOverCausal: share))
        progress("\(workers) workers, \(name)")
        findings.goals.append(
          Goal("\(name): sent / needed", traffic.sentOverNeeded, atMost: 1.01))
        if mask == documents {
          findings.goals.append(Goal("\(name): sent / causal's", share, atMost: 0.5))
        }
      }
    }
    return cases
  }
}
