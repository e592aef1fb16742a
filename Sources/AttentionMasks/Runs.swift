/// Whole numbers in ascending runs: keys that are seen, tiles that are needed. Runs are disjoint, not
/// empty, and don't touch.
///
/// A number has a value and a place: the K/V tiles that a rank folds are `runs[0]`, `runs[1]`, …, and
/// they needn't be 0, 1, ….
package struct Runs: Hashable, Sendable {
  package let ranges: [Range<Int>]
  /// How many numbers come before each run.
  private let places: [Int]
  /// How many numbers there are.
  package let count: Int

  /// The union of ranges in any order; empty ones don't count.
  package init(_ ranges: some Sequence<Range<Int>>) {
    var joined: [Range<Int>] = []
    let ordered = ranges.filter { !$0.isEmpty }.sorted { $0.lowerBound < $1.lowerBound }
    for range in ordered {
      if let last = joined.last, range.lowerBound <= last.upperBound {
        joined[joined.count - 1] =
          last.lowerBound..<Swift.max(last.upperBound, range.upperBound)
      } else {
        joined.append(range)
      }
    }
    self.init(joined: joined)
  }

  package init(_ range: Range<Int>) { self.init(joined: range.isEmpty ? [] : [range]) }

  private init(joined: [Range<Int>]) {
    ranges = joined
    var (places, count) = ([Int](), 0)
    for range in joined {
      places.append(count)
      count += range.count
    }
    self.places = places
    self.count = count
  }

  package static let none = Runs([])

  /// The number at a place.
  ///
  /// - Precondition: 0 <= place < count.
  package subscript(place: Int) -> Int {
    precondition((0..<count).contains(place), "place \(place) of \(count)")
    // The last run that begins at or before the place.
    let run = Self.partition(places.count) { places[$0] > place } - 1
    return ranges[run].lowerBound + place - places[run]
  }

  /// Where a number stands; nil for one that isn't there.
  package func place(of number: Int) -> Int? {
    let run = Self.partition(ranges.count) { ranges[$0].upperBound > number }
    guard run < ranges.count, ranges[run].contains(number) else { return nil }
    return places[run] + number - ranges[run].lowerBound
  }

  package func contains(_ number: Int) -> Bool { place(of: number) != nil }

  /// How many numbers are below `number`, which needn't be there itself.
  package func count(below number: Int) -> Int {
    let run = Self.partition(ranges.count) { ranges[$0].upperBound > number }
    guard run < ranges.count else { return count }
    return places[run] + Swift.max(0, number - ranges[run].lowerBound)
  }

  package func union(_ other: Runs) -> Runs { Runs(ranges + other.ranges) }

  package func intersection(_ other: Runs) -> Runs {
    var (found, mine, its) = ([Range<Int>](), 0, 0)
    while mine < ranges.count, its < other.ranges.count {
      let (left, right) = (ranges[mine], other.ranges[its])
      let common = left.clamped(to: right)
      if !common.isEmpty { found.append(common) }
      if left.upperBound < right.upperBound { mine += 1 } else { its += 1 }
    }
    return Runs(found)
  }

  /// The tiles of `size` numbers in which any of these is.
  package func tiles(of size: Int) -> Runs {
    Runs(ranges.map { $0.lowerBound / size..<($0.upperBound - 1) / size + 1 })
  }

  /// Which of `count` ascending and disjoint ranges may have a number in common with `range`.
  package static func places(
    _ count: Int, near range: Range<Int>, _ each: (Int) -> Range<Int>
  ) -> Range<Int> {
    let first = partition(count) { each($0).upperBound > range.lowerBound }
    let end = partition(count) { each($0).lowerBound >= range.upperBound }
    return first..<Swift.max(first, end)
  }

  /// The first of `count` indices for which `isBehind` holds, where it holds for all that follow.
  package static func partition(_ count: Int, _ isBehind: (Int) -> Bool) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if isBehind(middle) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}

extension Runs: RandomAccessCollection {
  package var startIndex: Int { 0 }
  package var endIndex: Int { count }
}
