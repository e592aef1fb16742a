/// A map of blocks of queries × keys: which of them are computed at all (block-sparse attention). One
/// for all query heads, or one for each.
package struct BlockMap: Hashable, Sendable {
  /// Queries and keys of a block.
  package let queries: Int
  package let keys: Int
  /// Maps, and blocks of queries and of keys in each.
  package let heads: Int
  package let rows: Int
  package let columns: Int
  /// [heads][rows][columns]. What is beyond a map isn't seen.
  private let cells: [Bool]

  /// - Precondition: sizes are positive; `cells` are heads × rows × columns.
  package init(
    queries: Int, keys: Int, heads: Int = 1, rows: Int, columns: Int, cells: [Bool]
  ) {
    precondition(queries > 0 && keys > 0, "blocks of \(queries) × \(keys)")
    precondition(heads > 0 && cells.count == heads * rows * columns, "\(cells.count) cells")
    self.queries = queries
    self.keys = keys
    self.heads = heads
    self.rows = rows
    self.columns = columns
    self.cells = cells
  }

  /// One map for all heads: [blocks of queries][blocks of keys], of equal lengths.
  package init(queries: Int, keys: Int, rows: [[Bool]]) {
    self.init(
      queries: queries, keys: keys, rows: rows.count, columns: rows.first?.count ?? 0,
      cells: rows.flatMap(\.self))
  }

  /// Whether a head computes a pair, or, without `head`, any head does.
  package func sees(query: Int, key: Int, head: Int? = nil) -> Bool {
    isSeen(row: query / queries, column: key / keys, head: head)
  }

  private func isSet(head: Int, row: Int, column: Int) -> Bool {
    row < rows && column < columns && cells[(head * rows + row) * columns + column]
  }

  /// The keys of `range` that `query` sees, as few runs as there are.
  ///
  /// - Parameter head: of which head; nil for what any head sees.
  func runs(query: Int, among range: Range<Int>, head: Int?) -> [Range<Int>] {
    let row = query / queries
    var runs: [Range<Int>] = []
    var key = range.lowerBound
    while key < range.upperBound {
      let column = key / keys
      let end = min((column + 1) * keys, range.upperBound)
      if isSeen(row: row, column: column, head: head) {
        if let last = runs.last, last.upperBound == key {
          runs[runs.count - 1] = last.lowerBound..<end
        } else {
          runs.append(key..<end)
        }
      }
      key = end
    }
    return runs
  }

  private func isSeen(row: Int, column: Int, head: Int?) -> Bool {
    if let head { return isSet(head: heads == 1 ? 0 : head, row: row, column: column) }
    return (0..<heads).contains { isSet(head: $0, row: row, column: column) }
  }
}
