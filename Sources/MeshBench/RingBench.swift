package import MeshCore
package import MeshRuntime

/// How busy workers are when a tile takes a tenth of its fold's time to cross a link, and what a
/// slow worker costs the others: processes and sockets are real, time for folds and links is
/// modelled, so that two cores do for eight workers.
///
/// A *fold* is all rows of a worker's share (tokens / workers) with all keys of one tile: the pair
/// rate is set so that it takes `foldSeconds`. A *transfer* is one tile's payload on the outgoing
/// link of a worker: the link's rate is set so that it takes `transferShare` of a fold. Under a
/// causal mask the rates are the same: folds then take half of that on average, links as long.
package struct RingBench {
  package var workers = [4, 8]
  package var masks = [MaskRule.full, .causal]
  package var tiles = 64
  package var foldSeconds = 0.05
  package var transferShare = 0.1
  package var slowFactor = 3.0
  package var repetitions = 3
  /// Virtual ranks a worker hosts.
  package var vranksPerWorker = 3

  package init() {}

  /// One number of workers under one mask.
  package struct Case: Encodable, Sendable {
    package let workers: Int
    package let mask: String
    package let layout: String
    package let vranks: Int
    /// Modelled fold time over the time to the last fold: mean over the workers, and the least.
    package let busyMean: Spread
    package let busyLeast: Spread
    package let wallSeconds: Spread
    /// With one worker slowed: how much later the last of the others folded its last tile.
    package let othersDelay: Spread
    package let slowWallSeconds: Spread
    package let tileBytesOverNeeded: Spread
    /// Share of all cores used by the mesh, and by everything on the machine.
    package let ownCPUShare: Spread
    package let machineCPUShare: Spread
  }

  package struct Result: Encodable, Sendable {
    package let tokens: Int
    package let tiles: Int
    package let foldSeconds: Double
    package let transferSeconds: Double
    package let slowFactor: Double
    package let cases: [Case]
    package let findings: Findings
  }

  package func run(
    isCancelled: @escaping @Sendable () -> Bool, progress: (String) -> Void
  ) throws(MeshError) -> Result {
    let tokens = tiles * Plan.keyTileKeys
    let tensors = try BenchTensors(
      BenchTensors.Shape(queryHeads: 1, keyHeads: 1, tokens: tokens, headDimension: 64), seed: 1)
    var findings = Findings()
    var cases: [Case] = []
    for mask in masks {
      let expected = try tensors.digest(of: tensors.inputs(mask: mask), isCancelled: isCancelled)
      for count in workers {
        let inputs = try tensors.inputs(mask: mask, vranks: vranksPerWorker * count)
        let real = try MeshTrial(workers: count, isCancelled: isCancelled).run(inputs)
        findings.expect(
          real.report.outputDigest == expected,
          "\(count) workers, \(mask.name): other bits than one process")
        progress("\(count) workers, \(mask.name): verified")
        let measured = try measure(
          inputs, workers: count, isCancelled: isCancelled, progress: progress)
        cases.append(measured)
        let name = "\(count) workers, \(mask.name) \(inputs.spec.layout.name)"
        findings.goals.append(
          Goal("\(name): busy fraction, mean", measured.busyMean.median, atLeast: 0.95))
        findings.goals.append(
          Goal("\(name): busy fraction, least", measured.busyLeast.median, atLeast: 0.95))
        findings.goals.append(
          Goal("\(name): delay of the others", measured.othersDelay.median, atMost: 0.05))
      }
    }
    return Result(
      tokens: tokens, tiles: tiles, foldSeconds: foldSeconds,
      transferSeconds: foldSeconds * transferShare, slowFactor: slowFactor, cases: cases,
      findings: findings)
  }
}
