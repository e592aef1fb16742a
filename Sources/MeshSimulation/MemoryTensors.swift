internal import Checksums
package import MeshCore

/// A job's tensors in memory: what the store keeps in files.
package struct MemoryTensors: Sendable {
  package var query: [UInt8]
  package var key: [UInt8]
  package var value: [UInt8]
  /// Of a job that has one.
  package var blockMap: [UInt8]
  package var output: [UInt8]
  package var logSumExp: [UInt8]

  /// Row-major element bytes of Q, K and V, and the bits of a block map.
  package init(
    job: AttentionJob, query: [UInt8], key: [UInt8], value: [UInt8], blockMap: [UInt8] = []
  ) {
    precondition(query.count == job.queryBytes && key.count == job.keyBytes)
    precondition(value.count == job.keyBytes && blockMap.count == job.byteCount(.blockMap))
    self.query = query
    self.key = key
    self.value = value
    self.blockMap = blockMap
    output = [UInt8](repeating: 0xFF, count: job.outputBytes)
    logSumExp = [UInt8](repeating: 0xFF, count: job.logSumExpBytes)
  }

  package var digests: InputDigests {
    InputDigests(
      query: SHA256.hash(query), key: SHA256.hash(key), value: SHA256.hash(value),
      blockMap: blockMap.isEmpty ? nil : SHA256.hash(blockMap))
  }

  /// The payload of one part of a tile.
  func payload(_ plan: Plan, _ tile: TileID, part: Int) -> [UInt8] {
    plan.inputRuns(of: tile, part: part).flatMap { run in
      let bytes =
        switch run.tensor {
        case .query: query
        case .key: key
        case .value: value
        case .blockMap: blockMap
        }
      return bytes[run.offset..<run.offset + run.count]
    }
  }

  /// Takes one message of a result.
  mutating func store(
    _ payload: UnsafeRawBufferPointer, _ plan: Plan, queryTile: Int, part: Int
  ) {
    var start = 0
    for run in plan.outputRuns(queryTile: queryTile, part: part) {
      let bytes = payload[start..<start + run.count]
      let target = run.offset..<run.offset + run.count
      if run.tensor == .output {
        output.replaceSubrange(target, with: bytes)
      } else {
        logSumExp.replaceSubrange(target, with: bytes)
      }
      start += run.count
    }
  }

  package var outputFloats: [Float] { Self.floats(output) }
  package var logSumExpFloats: [Float] { Self.floats(logSumExp) }

  private static func floats(_ bytes: [UInt8]) -> [Float] {
    bytes.withUnsafeBytes { buffer in
      (0..<buffer.count / 4).map { buffer.loadUnaligned(fromByteOffset: $0 * 4, as: Float.self) }
    }
  }
}
