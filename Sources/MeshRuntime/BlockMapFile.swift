internal import AttentionMasks
internal import MeshCore
internal import TensorFiles

/// The block map that a user gives: an array of truth values, packed as it is sent.
struct BlockMapFile: Sendable {
  let file: TruthFile
  let blocks: BlockMap
  /// Whether there is a map for each query head.
  let isPerHead: Bool

  /// Reads it, and compares its shape with the tensors'.
  ///
  /// - Throws: bad input, with the numbers.
  init(
    _ text: String, _ block: MaskRule.Block, queryHeads: Int, queryTokens: Int, keyTokens: Int,
    waiting: @escaping (String) -> Void
  ) throws(MeshError) {
    if let problem = block.problem { throw MeshError(.badInput, problem) }
    let (rows, columns) = block.counts(queryTokens: queryTokens, keyTokens: keyTokens)
    do throws(TensorFileError) {
      // One byte for each block, of which a bit is sent.
      file = try TruthFile(
        TensorLocation.parse(text), bytesMaximum: 8 * Limits.blockMapBytesMaximum,
        waiting: waiting)
    } catch {
      throw MeshError(.badInput, "--block-map \(error.description)")
    }
    let shape = file.shape
    isPerHead = shape.count == 3
    guard shape == [rows, columns] || shape == [queryHeads, rows, columns] else {
      throw MeshError(
        .badInput,
        "--block-map \(text): shape \(shape); blocks of \(block.queries) × \(block.keys) of"
          + " \(queryTokens) queries and \(keyTokens) keys make it [\(rows), \(columns)], or"
          + " [\(queryHeads), \(rows), \(columns)] with a map for each query head")
    }
    blocks = BlockMap(
      queries: block.queries, keys: block.keys, heads: isPerHead ? queryHeads : 1, rows: rows,
      columns: columns, bytes: file.bits)
  }
}
