/// A map of blocks of queries × keys: which of them are computed at all (block-sparse attention). One
/// for all query heads, or one for each.
///
/// It is kept as it travels: a bit for each block, [heads][rows][columns], every row of a map from its own
/// byte on. Column c is bit c % 8, the lowest first, of byte c / 8 of its row; bits behind the last column
/// say nothing.
package struct BlockMap: Hashable, Sendable {
  /// Queries and keys of a block.
  package let queries: Int
  package let keys: Int
  /// Maps, and blocks of queries and of keys in each. What is beyond a map isn't seen.
  package let heads: Int
  package let rows: Int
  package let columns: Int
  package let bytes: [UInt8]
  /// [rows][columns]: what any head computes.
  private let anyHead: [UInt8]

  /// - Precondition: sizes are positive; `bytes` are as many as `byteCount` says.
  package init(
    queries: Int, keys: Int, heads: Int = 1, rows: Int, columns: Int, bytes: [UInt8]
  ) {
    precondition(queries > 0 && keys > 0, "blocks of \(queries) × \(keys)")
    precondition(
      heads > 0 && bytes.count == Self.byteCount(heads: heads, rows: rows, columns: columns),
      "\(bytes.count) bytes")
    self.queries = queries
    self.keys = keys
    self.heads = heads
    self.rows = rows
    self.columns = columns
    self.bytes = bytes
    let count = bytes.count / heads
    anyHead =
      heads == 1
      ? bytes
      : (0..<count).map { place in
        stride(from: place, to: bytes.count, by: count).reduce(0) { $0 | bytes[$1] }
      }
  }

  /// - Parameter cells: [heads][rows][columns].
  package init(
    queries: Int, keys: Int, heads: Int = 1, rows: Int, columns: Int, cells: [Bool]
  ) {
    precondition(heads > 0 && cells.count == heads * rows * columns, "\(cells.count) cells")
    let rowBytes = Self.rowBytes(columns)
    var bytes = [UInt8](repeating: 0, count: heads * rows * rowBytes)
    for cell in cells.indices where cells[cell] {
      let (row, column) = cell.quotientAndRemainder(dividingBy: columns)
      bytes[row * rowBytes + column / 8] |= 1 << UInt8(column % 8)
    }
    self.init(
      queries: queries, keys: keys, heads: heads, rows: rows, columns: columns, bytes: bytes)
  }

  /// One map for all heads: [blocks of queries][blocks of keys], of equal lengths.
  package init(queries: Int, keys: Int, rows: [[Bool]]) {
    self.init(
      queries: queries, keys: keys, rows: rows.count, columns: rows.first?.count ?? 0,
      cells: rows.flatMap(\.self))
  }

  /// Bytes of maps of this size.
  package static func byteCount(heads: Int, rows: Int, columns: Int) -> Int {
    heads * rows * rowBytes(columns)
  }

  private static func rowBytes(_ columns: Int) -> Int { (columns + 7) / 8 }

  /// The maps of some heads, in this order; the same where there is one for all.
  package func ofHeads(_ chosen: [Int]) -> BlockMap {
    if heads == 1 { return self }
    let count = bytes.count / heads
    return BlockMap(
      queries: queries, keys: keys, heads: chosen.count, rows: rows, columns: columns,
      bytes: chosen.flatMap { bytes[$0 * count..<($0 + 1) * count] })
  }

  /// Whether a head computes a pair, or, without `head`, any head does.
  package func sees(query: Int, key: Int, head: Int? = nil) -> Bool {
    let (row, column) = (query / queries, key / keys)
    return row < rows && column < columns
      && next(true, row: row, from: column, to: column + 1, head: head) == column
  }

  /// The keys of `range` that `query` sees, as few runs as there are.
  ///
  /// - Parameter head: of which head; nil for what any head sees.
  func forEachRun(
    query: Int, among range: Range<Int>, head: Int?, _ body: (Range<Int>) -> Void
  ) {
    let row = query / queries
    let end = min((range.upperBound + keys - 1) / keys, columns)
    guard row < rows else { return }
    var column = range.lowerBound / keys
    while column < end {
      let first = next(true, row: row, from: column, to: end, head: head)
      guard first < end else { return }
      column = next(false, row: row, from: first, to: end, head: head)
      body((first * keys..<column * keys).clamped(to: range))
    }
  }

  /// Of the blocks of keys that `query` sees in any head, the last that has keys of `range`; nil for none.
  func lastBlock(query: Int, among range: Range<Int>) -> Range<Int>? {
    let row = query / queries
    guard row < rows, let last = range.last else { return nil }
    var column = min(last / keys, columns - 1)
    while column >= range.lowerBound / keys {
      // What is left of the byte, the column's bit highest.
      let rest = anyHead[row * Self.rowBytes(columns) + column / 8] << UInt8(7 - column % 8)
      if rest != 0 {
        column -= rest.leadingZeroBitCount
        return column < range.lowerBound / keys
          ? nil : (column * keys..<(column + 1) * keys).clamped(to: range)
      }
      column = column / 8 * 8 - 1
    }
    return nil
  }

  /// How many of these blocks of keys `query` sees.
  func count(query: Int, columns: Range<Int>, head: Int?) -> Int {
    let row = query / queries
    guard row < rows else { return 0 }
    let bits = head == nil || heads == 1 ? anyHead : bytes
    let base = ((heads == 1 ? 0 : (head ?? 0)) * rows + row) * Self.rowBytes(self.columns)
    var count = 0
    Self.forEachByte(of: columns) { count += (bits[base + $0] & $1).nonzeroBitCount }
    return count
  }

  /// Adds those of these blocks of keys that `query` sees in any head to a row of blocks.
  func join(query: Int, columns: Range<Int>, into other: inout [UInt8]) {
    let row = query / queries
    guard row < rows else { return }
    let base = row * Self.rowBytes(self.columns)
    Self.forEachByte(of: columns) { other[$0] |= anyHead[base + $0] & $1 }
  }

  /// The bytes that have bits of these columns, and which bits.
  private static func forEachByte(of columns: Range<Int>, _ body: (Int, UInt8) -> Void) {
    guard let last = columns.last else { return }
    let (first, end) = (columns.lowerBound / 8, last / 8)
    let head = UInt8.max << UInt8(columns.lowerBound % 8)
    let tail = UInt8.max >> UInt8(7 - last % 8)
    if first == end { return body(first, head & tail) }
    body(first, head)
    for byte in first + 1..<end { body(byte, .max) }
    body(end, tail)
  }

  /// The first column from `start` on whose bit is `value`; `end` where there is none before it.
  private func next(_ value: Bool, row: Int, from start: Int, to end: Int, head: Int?) -> Int {
    let bits = head == nil || heads == 1 ? anyHead : bytes
    let place = (heads == 1 ? 0 : (head ?? 0)) * rows + row
    let base = place * Self.rowBytes(columns)
    var column = start
    while column < end {
      let byte = value ? bits[base + column / 8] : ~bits[base + column / 8]
      let rest = byte >> UInt8(column % 8)
      if rest != 0 { return min(end, column + rest.trailingZeroBitCount) }
      column = (column / 8 + 1) * 8
    }
    return end
  }
}
