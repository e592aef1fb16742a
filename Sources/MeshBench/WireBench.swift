internal import AttentionKernels
internal import ElementTypes
internal import FoldEngine
internal import MeshCore
package import MeshRuntime
internal import MeshWire
internal import ZeroMQ

/// Tiles over a wire of this machine, as workers pass them on, against messages of the same sizes that
/// nobody looks at: what packing, checksums and layout cost beside ZeroMQ itself.
///
/// One thread serves and one receives, each with a context of its own, as two workers would. Both
/// sides ask for one tile after the other, with as many outstanding as a worker has. A tile's frame is
/// packed and checksummed once and served from then on; the receiver decodes it, verifies it and
/// copies it into the layout that the kernel reads.
package struct WireBench {
  package var pairs = 11
  /// Bytes moved in a run.
  package var bytes = 2 << 30
  /// Of the two-worker run that shows how long workers wait.
  package var tokens = 24_576

  package init() {}

  package struct Line: Encodable, Sendable {
    package let what: String
    /// Bytes of tiles a second.
    package let raw: Spread
    package let tiles: Spread
    package let tilesOverRaw: Spread
    /// Encrypted and authenticated, over the same without.
    package let curveOverTiles: Spread
    /// CPU seconds of both sides, a byte. Where all cores are busy either way, the rates are as these.
    package let rawProcessor: Spread
    package let tilesProcessor: Spread
  }

  package struct Result: Encodable, Sendable {
    package let lines: [Line]
    /// Of each of two workers.
    package let waitOverCompute: [Double]
    package let computeSeconds: [Double]
    package let findings: Findings
  }

  package func run(
    isCancelled: @escaping @Sendable () -> Bool, progress: (String) -> Void
  ) throws(MeshError) -> Result {
    var findings = Findings()
    var lines: [Line] = []
    for element in [ElementType.float16, .float32] {
      lines.append(try measure(element, &findings, isCancelled, progress))
    }
    progress("two workers, \(tokens) tokens")
    let outcome = try waits(&findings, isCancelled)
    let ratios = zip(outcome.report.waitSeconds, outcome.report.computeSeconds).map { $0 / $1 }
    findings.goals.append(
      Goal("two workers: wait / compute, the longer", ratios.max() ?? 1, atMost: 0.02))
    return Result(
      lines: lines, waitOverCompute: ratios, computeSeconds: outcome.report.computeSeconds,
      findings: findings)
  }

  private func measure(
    _ element: ElementType, _ findings: inout Findings, _ isCancelled: () -> Bool,
    _ progress: (String) -> Void
  ) throws(MeshError) -> Line {
    let tiles = WireTiles(element: element)
    let count = max(1, bytes / tiles.payloadBytes)
    let byteCount = Double(count * tiles.payloadBytes)
    var (raw, plain, curve): ([Double], [Double], [Double]) = ([], [], [])
    var (rawProcessor, tilesProcessor): ([Double], [Double]) = ([], [])
    for pair in 0..<pairs {
      if isCancelled() { throw MeshError(.interrupted, "interrupted") }
      do throws(ZeroMQError) {
        // Who goes first changes, so that a machine that grows slower favours neither.
        let order: [WireRun.Kind] =
          pair % 2 == 0 ? [.raw, .tiles, .curve] : [.curve, .tiles, .raw]
        for kind in order {
          let run = try WireRun(kind, tiles)
          let seconds = try run.receive(count)
          let rate = byteCount / seconds.wall
          switch kind {
          case .raw:
            raw.append(rate)
            rawProcessor.append(seconds.processor / byteCount)
          case .tiles:
            plain.append(rate)
            tilesProcessor.append(seconds.processor / byteCount)
          case .curve: curve.append(rate)
          }
          findings.expect(run.refused == 0, "\(element.name): \(run.refused) tiles were refused")
        }
      } catch {
        throw MeshError(.jobFailed, "the wire bench can't go on: \(error.description)")
      }
      progress(
        "\(element.name), pair \(pair + 1): raw \(gibibytes(raw[pair])), tiles"
          + " \(gibibytes(plain[pair])), encrypted \(gibibytes(curve[pair])) GiB/s")
    }
    findings.expect(tiles.isPackedRight(), "\(element.name): what arrived isn't what was packed")
    let line = Line(
      what: "\(element.name) tiles of \(tiles.payloadBytes >> 10) KiB", raw: Spread(raw),
      tiles: Spread(plain), tilesOverRaw: Spread(zip(plain, raw).map { $0 / $1 }),
      curveOverTiles: Spread(zip(curve, plain).map { $0 / $1 }),
      rawProcessor: Spread(rawProcessor), tilesProcessor: Spread(tilesProcessor))
    findings.goals.append(
      Goal("\(element.name): tiles / raw ZeroMQ", line.tilesOverRaw.median, atLeast: 0.8))
    return line
  }

  /// A run of two workers with a thread each.
  private func waits(
    _ findings: inout Findings, _ isCancelled: @escaping @Sendable () -> Bool
  ) throws(MeshError) -> MeshTrial.Outcome {
    let tensors = try BenchTensors(
      BenchTensors.Shape(queryHeads: 9, keyHeads: 3, tokens: tokens, headDimension: 64), seed: 7)
    let inputs = try tensors.inputs(mask: .causal)
    let expected = try tensors.digest(of: inputs, isCancelled: isCancelled)
    let outcome = try MeshTrial(workers: 2, threads: 1, isCancelled: isCancelled).run(inputs)
    findings.expect(
      outcome.report.outputDigest == expected, "two workers: other bits than one process")
    return outcome
  }

  private func gibibytes(_ rate: Double) -> String {
    let hundredths = Int((rate / Double(1 << 30) * 100).rounded())
    return "\(hundredths / 100).\(hundredths / 10 % 10)\(hundredths % 10)"
  }
}
