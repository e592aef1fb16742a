internal import MeshCore
package import MeshRuntime

/// What goes over the links between workers, against what has to: counters, so every run gives the
/// same and one is enough.
package struct BytesBench {
  package var workers = [2, 4, 8]

  package init() {}

  package struct Case: Encodable, Sendable {
    package let workers: Int
    package let layout: String
    package let vranks: Int
    /// Bytes written to sockets for tiles: messages, framing, requests and answers.
    package let sentBytes: Int
    /// Payload of the tiles in which some row of a worker that doesn't own them sees a key.
    package let neededBytes: Int
    /// Payload of all tiles to all other workers: what a ring without a mask sends.
    package let fullRingBytes: Int
    package let sentOverNeeded: Double
    package let neededOverRing: Double
    package let dropped: Int
  }

  package struct Result: Encodable, Sendable {
    package let tokens: Int
    package let cases: [Case]
    package let findings: Findings
  }

  package func run(
    _ tensors: BenchTensors, isCancelled: @escaping @Sendable () -> Bool,
    progress: (String) -> Void
  ) throws(MeshError) -> Result {
    var findings = Findings()
    var cases: [Case] = []
    let plain = try tensors.inputs(mask: .causal)
    let expected = try tensors.digest(of: plain, isCancelled: isCancelled)
    for layout in [Layout.contiguous, .zigzag] {
      for count in workers {
        for vranks in [count, Plan.defaultVrankCount(workers: count)] {
          let inputs = try tensors.inputs(mask: .causal, layout: layout, vranks: vranks)
          let outcome = try MeshTrial(workers: count, isCancelled: isCancelled).run(inputs)
          let item = Case(outcome)
          let name = "\(count) workers, \(layout.name), \(item.vranks) virtual ranks"
          findings.expect(
            outcome.report.outputDigest == expected, "\(name): other bits than one process")
          progress(name)
          cases.append(item)
          findings.goals.append(Goal(item, name))
          guard vranks == count else { continue }
          findings.goals.append(
            Goal(
              "\(name): needed / full ring", item.neededOverRing,
              atMost: layout == .contiguous ? 0.5 : 0.75))
        }
      }
    }
    return Result(tokens: plain.spec.queryTokens, cases: cases, findings: findings)
  }
}

extension BytesBench.Case {
  init(_ outcome: MeshTrial.Outcome) {
    let spec = outcome.status.summary.spec
    workers = outcome.report.workers
    layout = spec.layout.name
    vranks = outcome.report.vranks
    sentBytes = outcome.report.bytesSent["tiles"] ?? 0
    neededBytes = outcome.report.bytesNeeded
    fullRingBytes = 2 * spec.keyBytes * (outcome.report.workers - 1)
    sentOverNeeded = outcome.report.sentOverNeeded
    neededOverRing = Double(neededBytes) / Double(max(1, fullRingBytes))
    dropped = outcome.status.workers.reduce(0) { $0 + $1.traffic.dropped }
  }
}

extension Goal {
  /// On a busy machine more is sent than has to be, by requests that are repeated and by virtual ranks
  /// that move, or less: tiles of a worker that is late come from the store.
  init(_ item: BytesBench.Case, _ name: String) {
    self.init("\(name): |sent / needed − 1|", abs(item.sentOverNeeded - 1), atMost: 0.01)
  }
}
