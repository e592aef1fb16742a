/// Tiles held by one virtual rank of each group of heads, ascending.
struct Shard: Sendable {
  private enum Tiles: Sendable {
    /// One run (contiguous) or two (zigzag), ascending.
    case runs([Range<Int>])
    /// Every `step`th tile of `count`, from `first` on (striped): not a list, for there may be very many.
    case every(_ step: Int, from: Int, of: Int)
  }

  private let held: Tiles

  var runs: [Range<Int>] {
    switch held {
    case .runs(let runs): runs
    case .every: tiles.map { $0..<$0 + 1 }
    }
  }

  var tiles: [Int] {
    switch held {
    case .runs(let runs): runs.flatMap { Array($0) }
    case .every(let step, let first, let count): Array(stride(from: first, to: count, by: step))
    }
  }

  /// How many there are.
  var count: Int { count(below: .max) }

  /// How many of them are below a tile, which needn't be among them.
  func count(below tile: Int) -> Int {
    switch held {
    case .runs(let runs):
      runs.reduce(0) { $0 + max(0, min(tile, $1.upperBound) - $1.lowerBound) }
    case .every(let step, let first, let count):
      // Tiles first, first + step, … below the nearer end.
      (max(0, min(tile, count) - first) + step - 1) / step
    }
  }

  func contains(_ tile: Int) -> Bool {
    switch held {
    case .runs(let runs): runs.contains { $0.contains(tile) }
    case .every(let step, let first, let count): (0..<count).contains(tile) && tile % step == first
    }
  }

  /// Which of all shards has a tile.
  static func index(of tile: Int, in shards: [Shard]) -> Int? {
    if case .every(let step, _, let count)? = shards.first?.held {
      return (0..<count).contains(tile) ? tile % step : nil
    }
    return shards.firstIndex { $0.contains(tile) }
  }

  static func deal(_ count: Int, to ranks: Int, layout: Layout) -> [Shard] {
    switch layout {
    case .contiguous:
      return cut(count, into: ranks).map { Shard($0.isEmpty ? [] : [$0]) }
    case .zigzag:
      let chunks = cut(count, into: 2 * ranks)
      return (0..<ranks).map { rank in
        let (low, high) = (chunks[rank], chunks[2 * ranks - 1 - rank])
        if low.isEmpty || high.isEmpty || low.upperBound == high.lowerBound {
          let whole = low.isEmpty ? high : high.isEmpty ? low : low.lowerBound..<high.upperBound
          return Shard(whole.isEmpty ? [] : [whole])
        }
        return Shard([low, high])
      }
    case .striped:
      return (0..<ranks).map { Shard(held: .every(ranks, from: $0, of: count)) }
    }
  }

  private init(_ runs: [Range<Int>]) { self.init(held: .runs(runs)) }

  private init(held: Tiles) { self.held = held }

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
