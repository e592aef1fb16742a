internal import AttentionKernels
internal import MeshCore
internal import MeshRuntime

/// Time on one thread: whole passes of a head, packing and normalising included.
extension MasksBench {
  /// Masks of the head, and the bounds of their time over causal's. Those hold from the default length
  /// on: in a shorter sequence the window is a larger part of what causal sees.
  private var headMasks: [(mask: MaskRule, bound: Double?)] {
    let documents = 8
    let lengths = (0..<documents).map { ($0 + 1) * tokens / documents - $0 * tokens / documents }
    var sinks = Self.window
    sinks.sinkTokens = Self.sinkTokens
    return [
      (Self.window, tokens >= MasksBench().tokens ? 0.09 : nil),
      (sinks, nil),
      (
        MaskRule(
          isCausal: true, documents: MaskRule.Documents(queries: lengths, keys: lengths)), nil
      ),
    ]
  }

  func measureHeads(
    _ kernel: AttentionKernel, _ findings: inout Findings, isCancelled: () -> Bool,
    progress: (String) -> Void
  ) throws(MeshError) -> [HeadCase] {
    let causal = head(kernel, .causal)
    _ = verify(causal, &findings)
    var cases: [HeadCase] = []
    for (mask, bound) in headMasks {
      let masked = head(kernel, mask)
      let rows = verify(masked, &findings)
      var (own, whole): ([Double], [Double]) = ([], [])
      for repetition in 0..<repetitions {
        if isCancelled() { throw MeshError(.interrupted, "interrupted") }
        // Who goes first changes, so that a machine that grows slower favours neither.
        if repetition % 2 == 0 { whole.append(seconds { causal.attend() }) }
        own.append(seconds { masked.attend() })
        if repetition % 2 == 1 { whole.append(seconds { causal.attend() }) }
      }
      let ratio = Spread(zip(own, whole).map { $0 / $1 })
      cases.append(
        HeadCase(
          mask: mask.name, seconds: Spread(own), causalSeconds: Spread(whole), overCausal: ratio,
          pairsOverCausal: masked.flops / causal.flops, rowsVerified: rows))
      progress("one head, \(mask.name)")
      if let bound {
        findings.goals.append(
          Goal("\(mask.name): time over causal", ratio.median, atMost: bound))
      }
    }
    return cases
  }

  private func head(_ kernel: AttentionKernel, _ mask: MaskRule) -> HeadBench {
    HeadBench(kernel: kernel, headDimension: 64, tokens: tokens, mask: mask)
  }

  /// Also touches the head's memory once, before anything is measured.
  private func verify(_ head: HeadBench, _ findings: inout Findings) -> Int {
    head.pack()
    head.fold()
    return head.verify(&findings)
  }
}
