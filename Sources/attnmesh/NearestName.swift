/// The name that a misspelt one is likely to mean.
func nearestName(to name: String, in names: [String]) -> String? {
  let nearest = names.map { (distance: distance($0, name), name: $0) }
    .min { ($0.distance, $0.name) < ($1.distance, $1.name) }
  return nearest.flatMap { $0.distance <= max(1, name.count / 3) ? $0.name : nil }
}

/// Letters to add, take away, change or exchange with the next one (Damerau and Levenshtein).
private func distance(_ first: String, _ second: String) -> Int {
  let (a, b) = (Array(first), Array(second))
  var before: [Int] = []
  var last = Array(0...b.count)
  for row in a.indices {
    var next = [row + 1]
    for column in b.indices {
      let change = last[column] + (a[row] == b[column] ? 0 : 1)
      var least = min(change, last[column + 1] + 1, next[column] + 1)
      if row > 0, column > 0, a[row] == b[column - 1], a[row - 1] == b[column] {
        least = min(least, before[column - 1] + 1)
      }
      next.append(least)
    }
    (before, last) = (last, next)
  }
  return last[b.count]
}
