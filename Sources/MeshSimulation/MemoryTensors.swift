internal import Checksums
package import MeshCore

/// A job's tensors in memory: what the store keeps in files.
package struct MemoryTensors: Sendable {
  /// Row-major element bytes, the bits of a block map, or float32 pairs.
  package var inputs: [InputTensor: [UInt8]]
  /// Float32, of each tensor of the result.
  package var results: [[UInt8]]
  private let outputTensors: [OutputTensor]

  /// Row-major element bytes of Q, K and V, and the bits of a block map.
  package init(
    job: AttentionJob, query: [UInt8], key: [UInt8], value: [UInt8], blockMap: [UInt8] = []
  ) {
    var inputs: [InputTensor: [UInt8]] = [.query: query, .key: key, .value: value]
    if !blockMap.isEmpty { inputs[.blockMap] = blockMap }
    self.init(job: job, inputs)
  }

  /// - Precondition: they are the tensors that the job has, and as large.
  package init(job: AttentionJob, _ inputs: [InputTensor: [UInt8]]) {
    precondition(Set(inputs.keys) == Set(job.inputTensors), "other tensors")
    precondition(inputs.allSatisfy { $0.value.count == job.byteCount($0.key) }, "other sizes")
    self.inputs = inputs
    outputTensors = job.outputTensors
    results = outputTensors.map { [UInt8](repeating: 0xFF, count: job.byteCount($0)) }
    // What no rank hands in is zero, as in the store's files.
    if job.isBackward { results = results.map { [UInt8](repeating: 0, count: $0.count) } }
  }

  /// Bytes of an input; none of one that the job hasn't.
  package subscript(tensor: InputTensor) -> [UInt8] { inputs[tensor] ?? [] }

  package var digests: InputDigests {
    func digest(_ tensor: InputTensor) -> Digest { SHA256.hash(self[tensor]) }
    return InputDigests(
      query: digest(.query), key: digest(.key), value: digest(.value),
      blockMap: inputs[.blockMap].map { SHA256.hash($0) },
      outputGradient: inputs[.outputGradient].map { SHA256.hash($0) },
      rowStatistics: inputs[.rowStatistics].map { SHA256.hash($0) })
  }

  /// The payload of one part of a tile.
  func payload(_ plan: Plan, _ tile: TileID, part: Int) -> [UInt8] {
    plan.inputRuns(of: tile, part: part).flatMap { run in
      self[run.tensor][run.offset..<run.offset + run.count]
    }
  }

  /// Takes one message of a result.
  mutating func store(_ payload: UnsafeRawBufferPointer, _ plan: Plan, _ message: TilePartID) {
    var start = 0
    for run in plan.outputRuns(message.tile, part: message.part) {
      let bytes = payload[start..<start + run.count]
      if let place = outputTensors.firstIndex(of: run.tensor) {
        results[place].replaceSubrange(run.offset..<run.offset + run.count, with: bytes)
      }
      start += run.count
    }
  }

  /// The first tensor of the result: O, or dQ.
  package var output: [UInt8] { results[0] }
  /// The second one.
  package var logSumExp: [UInt8] { results[1] }
  package var outputFloats: [Float] { Self.floats(output) }
  package var logSumExpFloats: [Float] { Self.floats(logSumExp) }

  static func floats(_ bytes: [UInt8]) -> [Float] {
    bytes.withUnsafeBytes { buffer in
      (0..<buffer.count / 4).map { buffer.loadUnaligned(fromByteOffset: $0 * 4, as: Float.self) }
    }
  }
}
