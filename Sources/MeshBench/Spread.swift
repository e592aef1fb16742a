/// Repeated measurements of one thing: what is claimed is the median, and how far they lie apart is
/// told with it.
package struct Spread: Encodable, Sendable {
  package let median: Double
  package let lowest: Double
  package let highest: Double
  package let count: Int

  package init(_ values: [Double]) {
    precondition(!values.isEmpty, "a spread of nothing")
    let sorted = values.sorted()
    let middle = sorted.count / 2
    median = sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    lowest = sorted[0]
    highest = sorted[sorted.count - 1]
    count = sorted.count
  }
}
