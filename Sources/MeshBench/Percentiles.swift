/// Many measurements of one thing of which the slow ones matter: each is a value that was measured,
/// the smallest that so many of a hundred don't exceed.
package struct Percentiles: Encodable, Sendable {
  package let p50: Double
  package let p95: Double
  package let p99: Double
  package let highest: Double
  package let count: Int

  /// - Parameter values: none gives zeros, and a count that says so.
  package init(_ values: [Double]) {
    let sorted = values.sorted()
    func value(_ percent: Int) -> Double {
      sorted.isEmpty ? 0 : sorted[max(0, (sorted.count * percent + 99) / 100 - 1)]
    }
    (p50, p95, p99) = (value(50), value(95), value(99))
    highest = sorted.last ?? 0
    count = sorted.count
  }
}
