package import AttentionMasks
package import Checksums
internal import ElementTypes

/// The input tensors of a job: which it has, how large they are, and what its block map is.
extension AttentionJob {
  /// In the order in which they are sent.
  package var inputTensors: [InputTensor] {
    [.query, .key, .value] + (mask.blocks == nil ? [] : [.blockMap])
      + (isBackward ? [.outputGradient, .rowStatistics] : [])
  }

  /// The tensors of the result.
  package var outputTensors: [OutputTensor] {
    isBackward ? [.queryGradient, .keyGradient, .valueGradient] : [.output, .logSumExp]
  }

  /// Bytes of an input tensor; 0 of one that the job hasn't.
  package func byteCount(_ tensor: InputTensor) -> Int {
    switch tensor {
    case .query: queryBytes
    case .key, .value: keyBytes
    case .blockMap: blockMapBytes
    case .outputGradient: outputGradient.map { rowElements * $0.byteCount } ?? 0
    case .rowStatistics: isBackward ? flatQueryHeads * queryTokens * Self.rowStatisticsBytes : 0
    }
  }

  /// Bytes of a tensor of the result: float32, whatever the job.
  package func byteCount(_ tensor: OutputTensor) -> Int {
    switch tensor {
    case .output, .queryGradient: outputBytes
    case .logSumExp: logSumExpBytes
    case .keyGradient, .valueGradient: flatKeyValueHeads * keyTokens * headDimension * 4
    }
  }

  private var rowElements: Int { flatQueryHeads * queryTokens * headDimension }

  /// Of one row: its log-sum-exp in base 2, and D.
  package static let rowStatisticsBytes = 8

  private var blockMapBytes: Int {
    guard let (heads, rows, columns) = blockMapShape else { return 0 }
    return BlockMap.byteCount(heads: heads, rows: rows, columns: columns)
  }

  /// Maps, and blocks of queries and of keys in each; nil where the job has no map.
  package var blockMapShape: (heads: Int, rows: Int, columns: Int)? {
    guard let blocks = mask.blocks, blocks.problem == nil else { return nil }
    let (rows, columns) = blocks.counts(queryTokens: queryTokens, keyTokens: keyTokens)
    return (blocks.isPerHead ? queryHeads : 1, rows, columns)
  }

  /// The job's block map, of its tensor's bytes; nil where it has none, or they are too few or too many.
  package func blockMap(of bytes: [UInt8]) -> BlockMap? {
    guard let blocks = mask.blocks, let (heads, rows, columns) = blockMapShape,
      bytes.count == blockMapBytes
    else { return nil }
    return BlockMap(
      queries: blocks.queries, keys: blocks.keys, heads: heads, rows: rows, columns: columns,
      bytes: bytes)
  }

  /// Stands for a block map whose contents aren't known yet: one block that all see. What is computed with
  /// it is a bound. Nil where the job has no map.
  package var blocksUnknown: BlockMap? {
    mask.blocks.map { _ in BlockMap(queries: queryTokens, keys: keyTokens, rows: [[true]]) }
  }

  var blockMapProblem: String? {
    let (count, maximum) = (blockMapBytes, Limits.blockMapBytesMaximum)
    if count <= maximum { return nil }
    return
      "a block map of \(bytes(count)), a bit for each block, where \(bytes(maximum)) are the most:"
      + " take larger blocks"
  }
}

/// SHA-256 of each input tensor as it is stored: element bytes in row-major order.
package struct InputDigests: Hashable, Sendable, Codable {
  package let query: Digest
  package let key: Digest
  package let value: Digest
  /// Of a job that has one.
  package let blockMap: Digest?
  /// Of a job of gradients.
  package let outputGradient: Digest?
  package let rowStatistics: Digest?

  package init(
    query: Digest, key: Digest, value: Digest, blockMap: Digest? = nil,
    outputGradient: Digest? = nil, rowStatistics: Digest? = nil
  ) {
    self.query = query
    self.key = key
    self.value = value
    self.blockMap = blockMap
    self.outputGradient = outputGradient
    self.rowStatistics = rowStatistics
  }

  /// Whether they are of the tensors that a job has.
  package func areComplete(for job: AttentionJob) -> Bool {
    (blockMap != nil) == (job.mask.blocks != nil) && (outputGradient != nil) == job.isBackward
      && (rowStatistics != nil) == job.isBackward
  }
}
