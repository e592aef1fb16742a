package import AttentionKernels
internal import Checksums
internal import Foundation
package import MeshCore
internal import TensorFiles

/// What a run took, for people and for scripts.
package struct JobReport: Encodable, Sendable {
  package var job: String?
  package var wallSeconds: Double
  package var flops: Double
  package var gflopsPerSecond: Double
  package var workers: Int
  package var threadsPerWorker: Int
  package var vranks: Int
  package var strategy: String
  package var strategyReason: String
  /// Groups of heads and shards of tokens, "U,R"; of a job of a mesh.
  package var grid: String?
  package var mask: String
  package var layout: String
  /// By purpose: "tiles" between workers, "inputs" (requests) and "results" to the store.
  package var bytesSent: [String: Int]
  package var bytesNeeded: Int
  package var computeSeconds: [Double]
  package var waitSeconds: [Double]
  package var residentBytes: [Int]
  /// The bound that admission computed for one worker, or for the process that computes alone.
  package var workerBytesBound: Int
  package var failures: [String] = []
  package var recoveries: [RecoveryView] = []
  package var protection = "off"
  package var cpuLevel: String
  package var outputDigest: String

  package init(
    _ inputs: JobInputs, outcome: InProcessAttention.Outcome, level: KernelLevel, threads: Int,
    bytesBound: Int
  ) {
    let spec = inputs.spec
    wallSeconds = outcome.wallSeconds
    flops = spec.flops(blocks: inputs.blocks)
    gflopsPerSecond = flops / max(outcome.wallSeconds, 1e-9) / 1e9
    workers = 1
    threadsPerWorker = threads
    vranks = 1
    strategy = spec.strategyName(Grid(groups: 1, shards: 1))
    strategyReason = "one process: nothing to exchange"
    mask = spec.maskText
    layout = spec.layout.name
    bytesSent = [:]
    bytesNeeded = 0
    computeSeconds = [outcome.computeSeconds]
    waitSeconds = [outcome.wallSeconds - outcome.computeSeconds]
    residentBytes = [ProcessMemory.peakBytes]
    workerBytesBound = bytesBound
    cpuLevel = level.name
    outputDigest = "\(outcome.outputDigest)"
  }

  /// A finished job of a mesh.
  package init(_ status: JobStatus) {
    let summary = status.summary
    job = "\(summary.job)"
    wallSeconds = summary.wallSeconds
    flops = summary.flops
    gflopsPerSecond = flops / max(wallSeconds, 1e-9) / 1e9
    workers = status.workers.count
    threadsPerWorker = status.workers.map(\.threads).max() ?? 0
    vranks = status.vrankCount
    let strategy = status.strategy
    self.strategy = strategy?.name ?? summary.spec.strategy.name
    strategyReason = strategy?.reason ?? ""
    grid = strategy?.grid.name
    mask = summary.mask
    layout = summary.spec.layout.name
    let traffic = status.workers.map(\.traffic)
    bytesSent = [
      "tiles": traffic.reduce(0) { $0 + $1.tileBytes },
      "inputs": traffic.reduce(0) { $0 + $1.inputBytes },
      "results": traffic.reduce(0) { $0 + $1.resultBytes },
      "copies": traffic.reduce(0) { $0 + $1.copyBytes },
    ]
    bytesNeeded = status.neededBytes
    computeSeconds = traffic.map(\.computeSeconds)
    waitSeconds = traffic.map(\.waitSeconds)
    residentBytes = status.workers.map(\.residentBytes)
    workerBytesBound = status.workerBytes
    failures = Self.failures(status)
    recoveries = status.recoveries.map { RecoveryView($0) }
    protection = status.protectionName
    cpuLevel = Set(status.workers.map(\.level)).sorted().joined(separator: ",")
    outputDigest = status.outputDigest.map { "\($0)" } ?? ""
  }

  /// One line for each worker that was lost, and one for the job if it was.
  private static func failures(_ status: JobStatus) -> [String] {
    var lines: [String] = []
    for recovery in status.recoveries where recovery.cause != Recovery.handedOver {
      let line = "\(recovery.worker) (process \(recovery.processID)): \(recovery.cause)"
      if !lines.contains(line) { lines.append(line) }
    }
    return status.summary.state == .failed ? lines + [status.summary.reason] : lines
  }

  package func json() throws(MeshError) -> String {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    do {
      return String(decoding: try encoder.encode(self), as: UTF8.self)
    } catch {
      throw MeshError(.badInput, "the report can't be written as JSON: \(error)")
    }
  }

  /// The path that means standard output.
  package static let standardOutput = "-"

  package func write(to path: String) throws(MeshError) {
    if path == Self.standardOutput { return print(try json()) }
    try Self.write(try json(), to: path)
  }

  /// Puts a report where it was asked for.
  static func write(_ json: String, to path: String) throws(MeshError) {
    let text = Array((json + "\n").utf8)
    do throws(TensorFileError) {
      let file = try OutputFile(path: path)
      try file.write(at: 0, text)
      try file.commit()
    } catch {
      throw MeshError(.badInput, "the report can't be written: \(error.description)")
    }
  }

  /// A few lines for a person.
  package var summary: String {
    func seconds(_ value: Double) -> String { String(format: "%.3f s", value) }
    var lines = [
      "done in \(seconds(wallSeconds)): "
        + String(format: "%.1f GFLOP, %.1f GFLOP/s", flops / 1e9, gflopsPerSecond)
        + " on \(counted(workers, "worker")) × \(counted(threadsPerWorker, "thread")) (\(cpuLevel))"
    ]
    if let sent = bytesSent["tiles"] {
      var line = "tiles: \(bytes(sent)) sent, \(bytes(bytesNeeded)) needed"
      if bytesNeeded > 0 { line += String(format: " (%.3f ×)", Double(sent) / Double(bytesNeeded)) }
      lines.append(line + "; results: \(bytes(bytesSent["results"] ?? 0))")
    }
    if let grid { lines.append("strategy: \(strategy) \(grid), \(strategyReason)") }
    if computeSeconds.count > 1 {
      let waits = zip(computeSeconds, waitSeconds).map {
        String(format: "%.2f+%.2f", $0, $1)
      }
      lines.append("compute + wait per worker: \(waits.joined(separator: ", ")) s")
    }
    if !recoveries.isEmpty {
      let refolded = recoveries.reduce(0) { $0 + ($1.tilesRefolded ?? 0) }
      let causes = failures.isEmpty ? Recovery.handedOver : failures.joined(separator: "; ")
      lines.append(
        "moved: \(counted(recoveries.count, "virtual rank")); \(causes);"
          + " \(counted(refolded, "tile")) folded again")
    }
    lines.append("output sha256: \(outputDigest)")
    return lines.joined(separator: "\n")
  }
}
