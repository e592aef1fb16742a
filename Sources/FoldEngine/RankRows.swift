internal import AttentionKernels
internal import AttentionMasks
internal import MeshCore

/// The rows of one hosted virtual rank, and what its steps make of them. One *item* is a query tile of one
/// query head; its rows lie together, so that a thread works on an item without touching another's cache lines.
protocol RankRows: Sendable {
  var plan: Plan { get }
  var vrank: VRank { get }
  /// What the rank does.
  var steps: RankSteps { get }
  /// Query tiles of the rank, ascending; the place of one is its index here.
  var queryTiles: [Int] { get }
  /// The rank's flattened query heads.
  var heads: Range<Int> { get }

  /// Copies the state of the rows of one message out.
  func readState(_ message: Int, into target: UnsafeMutableRawBufferPointer)
  /// Sets the state of the rows of one message.
  func writeState(_ message: Int, from source: UnsafeRawBufferPointer)
  /// Writes the result of the rows of one message, `plan.resultBytes` of them.
  func finish(_ message: Int, _ kernel: AttentionKernel, into target: UnsafeMutablePointer<Float>)
}

extension RankRows {
  /// The place of a query tile in `queryTiles`; nil when it isn't this rank's.
  func place(of tile: Int) -> Int? {
    let place = Runs.partition(queryTiles.count) { queryTiles[$0] >= tile }
    return place < queryTiles.count && queryTiles[place] == tile ? place : nil
  }

  /// Items run over query tiles first, then heads: successive items of a thread use the same head of
  /// a K/V tile while it is in cache.
  func item(head: Int, place: Int) -> Int { (head - heads.lowerBound) * queryTiles.count + place }

  /// Places of query tiles among which are all whose rows see keys of the tiles of these steps.
  func places(near steps: Range<Int>) -> Runs {
    let runs = steps.flatMap {
      plan.mask.queries(near: plan.keys(of: self.steps.tile($0))).ranges
    }
    return Runs(
      runs.map { rows in
        Runs.places(queryTiles.count, near: rows) { plan.queryRows(of: queryTiles[$0]) }
      })
  }

  /// The rows of one message of the state, in the order of its payload.
  func forEachHead(of message: Int, _ body: (_ head: Int, _ index: Int, _ place: Int) -> Void) {
    let (tile, part) = plan.stateMessage(of: vrank, message)
    guard let place = place(of: tile) else { preconditionFailure("not of this rank") }
    for (index, head) in plan.resultHeads(queryTile: tile, part: part).enumerated() {
      body(head, index, place)
    }
  }
}
