internal import ElementTypes

/// Consecutive bytes of a tensor that is stored row-major, [heads, tokens, d].
package struct ByteRun<Tensor: Sendable & Hashable>: Hashable, Sendable {
  package let tensor: Tensor
  package let offset: Int
  package let count: Int
}

/// Where the bytes of messages lie in the tensors: heads are far apart, the rows of one lie together.
extension Plan {
  /// The runs of which the payload of one part of a tile consists, in order.
  package func inputRuns(of tile: TileID, part: Int) -> [ByteRun<InputTensor>] {
    let tokens = tokens(of: tile)
    let length = tile.tensor == .query ? job.queryTokens : job.keyTokens
    func runs(_ tensor: InputTensor, rowBytes: Int) -> [ByteRun<InputTensor>] {
      heads(of: tile, part: part).map { head in
        ByteRun(
          tensor: tensor, offset: (head * length + tokens.lowerBound) * rowBytes,
          count: tokens.count * rowBytes)
      }
    }
    let rowBytes = job.headDimension * job.element.byteCount
    guard tile.tensor == .query else {
      return runs(.key, rowBytes: rowBytes) + runs(.value, rowBytes: rowBytes)
    }
    guard let type = job.outputGradient else { return runs(.query, rowBytes: rowBytes) }
    return runs(.query, rowBytes: rowBytes)
      + runs(.outputGradient, rowBytes: job.headDimension * type.byteCount)
      + runs(.rowStatistics, rowBytes: AttentionJob.rowStatisticsBytes)
  }

  /// Where the payload of one message of a result goes, in order.
  ///
  /// - Parameter tile: queries, whose rows' O and log-sum-exp or dQ it has, or dK and dV.
  package func outputRuns(_ tile: TileID, part: Int) -> [ByteRun<OutputTensor>] {
    let tokens = tokens(of: tile)
    let isOfRows = tile.tensor == .query
    let heads = resultHeads(tile, part: part)
    let length = isOfRows ? job.queryTokens : job.keyTokens
    func runs(_ tensor: OutputTensor, rowBytes: Int) -> [ByteRun<OutputTensor>] {
      heads.map { head in
        ByteRun(
          tensor: tensor, offset: (head * length + tokens.lowerBound) * rowBytes,
          count: tokens.count * rowBytes)
      }
    }
    let rowBytes = job.headDimension * 4
    if !isOfRows {
      return runs(.keyGradient, rowBytes: rowBytes) + runs(.valueGradient, rowBytes: rowBytes)
    }
    if job.isBackward { return runs(.queryGradient, rowBytes: rowBytes) }
    return runs(.output, rowBytes: rowBytes) + runs(.logSumExp, rowBytes: 4)
  }

  /// Payload bytes of one message of a result.
  package func resultBytes(_ tile: TileID, part: Int) -> Int {
    guard tile.tensor == .query else { return payloadBytes(of: tile, part: part) }
    return resultHeads(queryTile: tile.index, part: part).count * queryRows(of: tile.index).count
      * (job.headDimension + (job.isBackward ? 0 : 1)) * 4
  }

  /// Messages of which the result of a virtual rank consists: those of its rows, and those of the dK and dV that
  /// have travelled to it.
  package func resultMessageCount(of vrank: VRank) -> Int {
    messageCount(of: vrank)
      + (job.isBackward ? steps(of: vrank).kept.count * partCount(.gradient) : 0)
  }

  /// What the messages of a rank's result are about, in order.
  package func resultMessages(of vrank: VRank) -> [TilePartID] {
    let rows = queryTiles(of: vrank).flatMap { tile in
      (0..<resultPartCount).map { TilePartID(tile: .query(tile), part: $0) }
    }
    return job.isBackward ? rows + parts(of: steps(of: vrank).kept) : rows
  }

  /// Message index of a rank's state: query tile and part.
  package func stateMessage(of vrank: VRank, _ message: Int) -> (queryTile: Int, part: Int) {
    let (place, part) = message.quotientAndRemainder(dividingBy: resultPartCount)
    return (queryTiles(of: vrank)[place], part)
  }
}
