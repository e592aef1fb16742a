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

  /// One job's mask.
  private struct MeshMask {
    var rule: MaskRule
    /// A file of its blocks, and the tokens of those that are seen.
    var blockMap: String?
    var seenKeys: Int?
  }

  /// Of all K/V tiles every fourth, seen by all queries: so known are the bytes that have to cross and the
  /// pairs that are computed.
  private func everyFourthTile(_ tensors: BenchTensors) throws(MeshError) -> MeshMask {
    let keys = Plan.keyTileKeys
    let columns = (0..<(meshTokens + keys - 1) / keys).map { $0 % 4 == 0 }
    let seen = columns.indices.reduce(0) { sum, column in
      columns[column] ? sum + min(keys, meshTokens - column * keys) : sum
    }
    return MeshMask(
      rule: MaskRule(blocks: MaskRule.Block(queries: meshTokens, keys: keys)),
      blockMap: try tensors.blockMap(columns), seenKeys: seen)
  }

  func measureMeshes(
    _ tensors: BenchTensors, _ findings: inout Findings,
    isCancelled: @escaping @Sendable () -> Bool, progress: (String) -> Void
  ) throws(MeshError) -> [MeshCase] {
    let documents = Self.documents(tokens: meshTokens)
    let masks =
      [.causal, Self.window, documents].map { MeshMask(rule: $0) } + [try everyFourthTile(tensors)]
    var cases: [MeshCase] = []
    var causal: [Layout: MeshTrial.Outcome] = [:]
    for mask in masks {
      let alone = try tensors.inputs(mask: mask.rule, blockMap: mask.blockMap)
      let expected = try tensors.digest(of: alone, isCancelled: isCancelled)
      for layout in [Layout.contiguous, .zigzag] {
        let inputs = try tensors.inputs(mask: mask.rule, blockMap: mask.blockMap, layout: layout)
        let outcome = try MeshTrial(workers: workers, isCancelled: isCancelled).run(inputs)
        let name = "\(mask.rule.name), \(layout.name)"
        findings.expect(
          outcome.report.outputDigest == expected, "\(name): other bits than one process")
        if mask.rule == .causal { causal[layout] = outcome }
        let item = MeshCase(mask.rule, outcome, causal: causal[layout] ?? outcome)
        cases.append(item)
        progress("\(workers) workers, \(name)")
        findings.goals.append(Goal(item.traffic, name))
        if mask.rule == documents {
          findings.goals.append(Goal("\(name): sent / causal's", item.sentOverCausal, atMost: 0.5))
        }
        if let seen = mask.seenKeys { check(seenKeys: seen, outcome, name, &findings) }
      }
    }
    return cases
  }

  /// That all queries see these keys, and no others, decides what crosses and what is computed: every
  /// worker has rows, and is sent what it hasn't got.
  private func check(
    seenKeys: Int, _ outcome: MeshTrial.Outcome, _ name: String, _ findings: inout Findings
  ) {
    let spec = outcome.status.summary.spec
    let hosts = min(workers, outcome.report.vranks)
    let needed = 2 * spec.keyBytes / spec.keyTokens * seenKeys * (hosts - 1)
    findings.expect(
      outcome.report.bytesNeeded == needed,
      "\(name): \(outcome.report.bytesNeeded) bytes are needed, where it should be \(needed)")
    let flops =
      4 * Double(spec.queryTokens * seenKeys) * Double(spec.headDimension)
      * Double(spec.flatQueryHeads)
    findings.expect(
      outcome.report.flops == flops,
      "\(name): \(outcome.report.flops) FLOP are counted, where it should be \(flops)")
  }
}

extension MasksBench.MeshCase {
  /// - Parameter causal: the same job under a plain causal mask.
  init(_ mask: MaskRule, _ outcome: MeshTrial.Outcome, causal: MeshTrial.Outcome) {
    self.mask = mask.name
    traffic = BytesBench.Case(outcome)
    sentOverCausal =
      Double(traffic.sentBytes) / Double(max(1, causal.report.bytesSent["tiles"] ?? 0))
    pairsOverCausal = outcome.report.flops / causal.report.flops
  }
}
