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
    let rowBytes = job.headDimension * job.element.byteCount
    let length = tile.tensor == .query ? job.queryTokens : job.keyTokens
    let tensors: [InputTensor] = tile.tensor == .query ? [.query] : [.key, .value]
    return tensors.flatMap { tensor in
      heads(of: tile, part: part).map { head in
        ByteRun(
          tensor: tensor, offset: (head * length + tokens.lowerBound) * rowBytes,
          count: tokens.count * rowBytes)
      }
    }
  }

  /// Where the payload of one message of a result goes, in order.
  package func outputRuns(queryTile: Int, part: Int) -> [ByteRun<OutputTensor>] {
    let rows = queryRows(of: queryTile)
    let heads = resultHeads(queryTile: queryTile, part: part)
    func runs(_ tensor: OutputTensor, rowBytes: Int) -> [ByteRun<OutputTensor>] {
      heads.map { head in
        ByteRun(
          tensor: tensor, offset: (head * job.queryTokens + rows.lowerBound) * rowBytes,
          count: rows.count * rowBytes)
      }
    }
    return runs(.output, rowBytes: job.headDimension * 4) + runs(.logSumExp, rowBytes: 4)
  }

  /// Payload bytes of one message of a result.
  package func resultBytes(queryTile: Int, part: Int) -> Int {
    resultHeads(queryTile: queryTile, part: part).count * queryRows(of: queryTile).count
      * (job.headDimension + 1) * 4
  }

  /// Message index of a rank's result: query tile and part.
  package func resultMessage(of vrank: VRank, _ message: Int) -> (queryTile: Int, part: Int) {
    let (place, part) = message.quotientAndRemainder(dividingBy: resultPartCount)
    return (queryTiles(of: vrank)[place], part)
  }
}
