internal import ElementTypes

/// How tiles are cut into messages of at most `Limits.payloadBytesMaximum`: by heads, since the
/// tokens of a tile belong together. The cut is a function of the job alone, so every holder of a
/// tile has the same parts and may serve any of them.
extension Plan {
  /// Heads in every part of a tile of `tensor` but the last.
  package func headsPerPart(_ tensor: TileTensor) -> Int {
    let rowBytes = job.headDimension * job.element.byteCount
    let headBytes =
      tensor == .query ? Self.queryTileRows * rowBytes : 2 * Self.keyTileKeys * rowBytes
    return max(1, Limits.payloadBytesMaximum / headBytes)
  }

  /// Messages of which a tile of `tensor` consists.
  package func partCount(_ tensor: TileTensor) -> Int {
    let heads = headCount(tensor)
    let perPart = headsPerPart(tensor)
    return (heads + perPart - 1) / perPart
  }

  /// Flattened heads in one part.
  package func heads(_ tensor: TileTensor, part: Int) -> Range<Int> {
    let start = part * headsPerPart(tensor)
    return start..<min(start + headsPerPart(tensor), headCount(tensor))
  }

  package func headCount(_ tensor: TileTensor) -> Int {
    tensor == .query ? job.flatQueryHeads : job.flatKeyValueHeads
  }

  package func tokens(of tile: TileID) -> Range<Int> {
    tile.tensor == .query ? queryRows(of: tile.index) : keys(of: tile.index)
  }

  package func tileCount(_ tensor: TileTensor) -> Int {
    tensor == .query ? queryTileCount : keyTileCount
  }

  /// Payload bytes of one part: rows of its heads, for K/V of both tensors.
  package func payloadBytes(of tile: TileID, part: Int) -> Int {
    let rows = heads(tile.tensor, part: part).count * tokens(of: tile).count
    let tensors = tile.tensor == .query ? 1 : 2
    return rows * tensors * job.headDimension * job.element.byteCount
  }

  /// Payload bytes of a whole tile.
  package func payloadBytes(of tile: TileID) -> Int {
    // Not by parts: admission asks it for every tile of jobs with thousands of parts a tile.
    let tensors = tile.tensor == .query ? 1 : 2
    return headCount(tile.tensor) * tokens(of: tile).count * tensors * job.headDimension
      * job.element.byteCount
  }

  /// Query heads in every message of a result but the last: O and log-sum-exp are float32.
  package var headsPerResultPart: Int {
    max(1, Limits.payloadBytesMaximum / (Self.queryTileRows * (job.headDimension + 2) * 4))
  }

  /// Messages of a copy that its holder acknowledges at once: few and no more than a mebibyte, so that
  /// the sender hears of a slow connection in time.
  package var copyMessagesPerReceipt: Int {
    let largest = stateBytes(queryTile: 0, part: 0)
    return min(Limits.copyMessagesPerReceipt, max(1, Limits.payloadBytesMaximum / largest))
  }

  /// Messages in which the result of one query tile travels.
  package var resultPartCount: Int {
    (job.flatQueryHeads + headsPerResultPart - 1) / headsPerResultPart
  }

  /// Flattened query heads in one message of a result.
  package func resultHeads(part: Int) -> Range<Int> {
    let start = part * headsPerResultPart
    return start..<min(start + headsPerResultPart, job.flatQueryHeads)
  }
}
