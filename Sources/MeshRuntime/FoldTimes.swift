/// How long the last folds of a tile took: what a hang is told from a slow tile by.
struct FoldTimes {
  private static let kept = 64
  private var seconds: [Double] = []
  private var position = 0

  mutating func add(_ value: Double) {
    if seconds.count < Self.kept {
      seconds.append(value)
    } else {
      seconds[position % Self.kept] = value
    }
    position += 1
  }

  /// 95 of 100 were no slower; 0 before the first.
  var slow: Double {
    guard !seconds.isEmpty else { return 0 }
    return seconds.sorted()[min(seconds.count - 1, seconds.count * 95 / 100)]
  }
}
