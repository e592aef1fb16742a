/// Runs of tiles held by one virtual rank of each group of heads: one run (contiguous) or two (zigzag), ascending.
struct Shard: Sendable {
  let runs: [Range<Int>]

  var tiles: [Int] { runs.flatMap { Array($0) } }

  func contains(_ tile: Int) -> Bool { runs.contains { $0.contains(tile) } }

  static func deal(_ count: Int, to ranks: Int, layout: Layout) -> [Shard] {
    switch layout {
    case .contiguous:
      return cut(count, into: ranks).map { Shard(runs: $0.isEmpty ? [] : [$0]) }
    case .zigzag:
      let chunks = cut(count, into: 2 * ranks)
      return (0..<ranks).map { rank in
        let (low, high) = (chunks[rank], chunks[2 * ranks - 1 - rank])
        if low.isEmpty || high.isEmpty || low.upperBound == high.lowerBound {
          let whole = low.isEmpty ? high : high.isEmpty ? low : low.lowerBound..<high.upperBound
          return Shard(runs: whole.isEmpty ? [] : [whole])
        }
        return Shard(runs: [low, high])
      }
    }
  }

  /// `count` tiles in `parts` runs whose sizes differ by at most one; larger ones go last.
  static func cut(_ count: Int, into parts: Int) -> [Range<Int>] {
    let (size, larger) = count.quotientAndRemainder(dividingBy: parts)
    var start = 0
    return (0..<parts).map { part in
      let end = start + size + (part >= parts - larger ? 1 : 0)
      defer { start = end }
      return start..<end
    }
  }
}
