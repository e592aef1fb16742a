/// Where the messages of results stand among those of their ranks.
package struct ResultPlaces: Sendable {
  /// Of each query tile, and of each tile of dK and dV, its first message; nil for one that is in no result.
  private var queries: [Int?]
  private var gradients: [Int?]
  private let parts: (queries: Int, gradients: Int)

  package init(_ plan: Plan) {
    queries = Array(repeating: nil, count: plan.queryTileCount)
    gradients = Array(repeating: nil, count: plan.job.isBackward ? plan.keyTileCount : 0)
    parts = (plan.resultPartCount, plan.job.isBackward ? plan.partCount(.gradient) : 0)
    for vrank in plan.vranks {
      for (place, tile) in plan.queryTiles(of: vrank).enumerated() {
        queries[tile] = place * parts.queries
      }
      guard plan.job.isBackward else { continue }
      let rows = plan.messageCount(of: vrank)
      for (place, tile) in plan.steps(of: vrank).kept.enumerated() {
        gradients[tile.index] = rows + place * parts.gradients
      }
    }
  }

  /// The message of a part of a tile; nil for one that there isn't.
  package func message(_ tile: TileID, part: Int) -> Int? {
    let (first, count) =
      tile.tensor == .query
      ? (queries.indices.contains(tile.index) ? queries[tile.index] : nil, parts.queries)
      : (gradients.indices.contains(tile.index) ? gradients[tile.index] : nil, parts.gradients)
    guard let first, (0..<count).contains(part) else { return nil }
    return first + part
  }
}
