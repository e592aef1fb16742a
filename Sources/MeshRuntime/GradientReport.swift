internal import AttentionKernels
internal import FoldEngine
internal import Foundation
internal import MeshCore

/// What is told of a finished backward pass. Times in seconds, sizes in bytes.
package struct GradientReport: Encodable, Sendable {
  package let wallSeconds: Double
  /// Of five products for each visible pair, and of the forward pass where it was computed.
  package let flops: Double
  package let gflopsPerSecond: Double
  /// Compute threads of this process; nil of a mesh.
  package let threads: Int?
  package let mask: String
  package let hasComputedForward: Bool
  package let computeSeconds: Double
  package let residentBytes: Int
  /// That admission computed for this process, or for one worker.
  package let bytesBound: Int
  package let cpuLevel: String
  package let queryGradientDigest: String
  package let keyGradientDigest: String
  package let valueGradientDigest: String
  /// The job of a mesh, and the one of the forward pass.
  package private(set) var mesh: JobReport?
  package private(set) var forward: JobReport?

  package init(
    _ inputs: GradientInputs, outcome: InProcessGradients.Outcome, level: String, threads: Int,
    bytesBound: Int
  ) {
    let spec = inputs.job.spec
    wallSeconds = outcome.wallSeconds
    flops = spec.flops(blocks: inputs.job.blocks) * (inputs.hasForward ? 2.5 : 3.5)
    gflopsPerSecond = flops / max(wallSeconds, 1e-9) / 1e9
    self.threads = threads
    mask = spec.maskText
    hasComputedForward = !inputs.hasForward
    computeSeconds = outcome.computeSeconds
    residentBytes = ProcessMemory.peakBytes
    self.bytesBound = bytesBound
    cpuLevel = level
    queryGradientDigest = "\(outcome.queryDigest)"
    keyGradientDigest = "\(outcome.keyDigest)"
    valueGradientDigest = "\(outcome.valueDigest)"
  }

  /// Of a job of a mesh.
  init(
    _ inputs: GradientInputs, wallSeconds: Double, _ digests: GradientDigests, mesh: JobReport,
    forward: JobReport?
  ) {
    self.wallSeconds = wallSeconds
    flops = mesh.flops + (forward?.flops ?? 0)
    gflopsPerSecond = flops / max(wallSeconds, 1e-9) / 1e9
    threads = nil
    mask = inputs.job.spec.maskText
    hasComputedForward = forward != nil
    let reports = [mesh] + [forward].compactMap(\.self)
    computeSeconds = reports.flatMap(\.computeSeconds).reduce(0, +)
    residentBytes = reports.flatMap(\.residentBytes).max() ?? 0
    bytesBound = reports.map(\.workerBytesBound).max() ?? 0
    cpuLevel = mesh.cpuLevel
    queryGradientDigest = "\(digests.digest(of: .query))"
    keyGradientDigest = "\(digests.digest(of: .key))"
    valueGradientDigest = "\(digests.digest(of: .value))"
    self.mesh = mesh
    self.forward = forward
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

  package func write(to path: String) throws(MeshError) {
    if path == JobReport.standardOutput { return print(try json()) }
    try JobReport.write(try json(), to: path)
  }

  /// A line for a person.
  package var summary: String {
    String(
      format: "done in %.3f s: %.1f GFLOP, %.1f GFLOP/s", wallSeconds, flops / 1e9,
      gflopsPerSecond) + " on \(place) (\(cpuLevel))"
      + (hasComputedForward ? "; O and log-sum-exp were computed first" : "")
  }

  private var place: String {
    if let threads { return counted(threads, "thread") }
    return counted(mesh?.workers ?? 0, "worker")
  }
}
